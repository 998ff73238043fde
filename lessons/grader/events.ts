// The events that the grader publishes, and the words in which it speaks of them.

export type Event = { id?: string; type?: string; data?: unknown; [field: string]: unknown };

/** The n-th event, as a classic service publishes it. */
export const post = (n: number): Event => ({ type: 'PostCreated', data: { id: `post-${n}`, title: `Post ${n}` } });

/** The same with an id of its own, by which it is recognised. */
export const postWithId = (n: number): Event => ({ id: `event-${n}`, ...post(n) });

/** The name of an event in messages and timelines: `post-3`. */
export function keyOf(event: unknown): string {
  const { data } = (event ?? {}) as Event;
  const { id } = (data ?? {}) as { id?: unknown };
  return typeof id === 'string' && id !== '' ? id.slice(0, 40) : 'an event without data.id';
}

const SHOWN = 6;

/** A list of keys in a message: the first ones, and how many there are. */
export function listed(keys: string[]): string {
  if (keys.length === 0) return 'nothing';
  if (keys.length <= SHOWN) return keys.join(', ');
  return `${keys.slice(0, SHOWN).join(', ')} … (${keys.length} in all)`;
}

/** The first difference between the events that should be there, in this order, and those that are; undefined if there is none. */
export function difference(expected: string[], seen: string[]): { seen: string; about: string[] } | undefined {
  const has = new Set(seen);
  const missing = expected.filter((key) => !has.has(key));
  if (missing.length > 0)
    return { seen: missing.length === expected.length ? 'nothing' : `missing: ${listed(missing)}`, about: missing };
  const wanted = new Set(expected);
  const strange = seen.find((key) => !wanted.has(key));
  if (strange !== undefined) return { seen: `${strange}, which was not expected`, about: [strange] };
  const twice = seen.find((key, i) => seen.indexOf(key) !== i);
  if (twice !== undefined) return { seen: `${twice} is there twice`, about: [twice] };
  const at = expected.findIndex((key, i) => seen[i] !== key);
  if (at < 0) return undefined;
  return { seen: `${seen[at]} comes before ${expected[at]}`, about: [seen[at] as string, expected[at] as string] };
}
