type Difference = { path: string; is: unknown; should: unknown };

/** The paths at which two values differ. A key that one side lacks counts with its path. */
export function differences(is: unknown, should: unknown, path = ''): Difference[] {
  const isObject = (value: unknown) => typeof value === 'object' && value !== null;
  if (isObject(is) && isObject(should)) {
    const [a, b] = [is, should] as Record<string, unknown>[];
    return Object.keys({ ...a, ...b }).flatMap((key) => differences(a?.[key], b?.[key], path ? `${path}/${key}` : key));
  }
  return is === should ? [] : [{ path, is, should }];
}

/** The differences as sentences, about `what`. */
export const compare = (what: string, is: unknown, should: unknown): string[] =>
  differences(is, should, what).map(
    ({ path, is, should }) => `${path} is ${JSON.stringify(is)} instead of ${JSON.stringify(should)}`,
  );
