/** An answer comes from outside, perhaps from a part of somebody else's: these take what is usable of it, and nothing throws. */
type Fields = Readonly<Record<string, unknown>>;

/** The fields of an object; none of anything else. */
export const fieldsOf = (value: unknown): Fields =>
  typeof value === 'object' && value !== null ? (value as Fields) : {};

/** The usable items of a list, or of an object with a name for each. `parse` gets each with its place. */
export const itemsOf = <Item>(value: unknown, parse: (item: unknown, at: number) => Item | undefined): Item[] =>
  Object.values(fieldsOf(value)).flatMap((item, at) => parse(item, at) ?? []);

/** A text; a number, as some use for ids, is one too. */
export const textOf = (value: unknown): string | undefined =>
  typeof value === 'string' || typeof value === 'number' ? String(value) : undefined;

export const numberOf = (value: unknown): number | undefined =>
  typeof value === 'number' && Number.isFinite(value) ? value : undefined;

/** One of the values that are known; `other` for any other. */
export const oneOf = <Value>(value: unknown, known: readonly Value[], other: Value): Value =>
  known.find((one) => one === value) ?? other;

export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
