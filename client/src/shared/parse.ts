/** Parsers for answers, which may come from foreign services: they take the usable fields, and none throws. */
export type Fields = Readonly<Record<string, unknown>>;

/** The fields of an object; empty for any other value. */
export const fieldsOf = (value: unknown): Fields =>
  typeof value === 'object' && value !== null ? (value as Fields) : {};

/** The usable items of a list, or of an object keyed by id. `parse` gets each with its index. */
export const itemsOf = <Item>(value: unknown, parse: (item: unknown, at: number) => Item | undefined): Item[] =>
  Object.values(fieldsOf(value)).flatMap((item, at) => parse(item, at) ?? []);

/** A text. A number counts as one, because some services use numbers as ids. */
export const textOf = (value: unknown): string | undefined =>
  typeof value === 'string' || typeof value === 'number' ? String(value) : undefined;

/** A person: the id that stays, and the name to show. */
export type Author = { id: string; name: string };

const authors = new Map<string, Author>();

/** A person. Equal ones are one object, so that the page sees that nothing has changed. */
export function authorOf(value: unknown): Author | undefined {
  const { id, name } = fieldsOf(value);
  if (typeof id !== 'string' || typeof name !== 'string') return undefined;
  const key = JSON.stringify([id, name]);
  return authors.get(key) ?? authors.set(key, { id, name }).get(key);
}

export const numberOf = (value: unknown): number | undefined =>
  typeof value === 'number' && Number.isFinite(value) ? value : undefined;

/** The value if it is a known one, else `other`. */
export const oneOf = <Value>(value: unknown, known: readonly Value[], other: Value): Value =>
  known.find((one) => one === value) ?? other;

export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
