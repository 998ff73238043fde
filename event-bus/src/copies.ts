// The names of copies: `posts-1` is copy 1 of the service `posts`. One that runs alone may be called `posts`, and is copy 0.

/** The service and the ordinal that a name says. */
export function copyOf(name: string): { service: string; ordinal: number } {
  const [, service = name, ordinal = 0] = /^(.+)-(0|[1-9]\d{0,3})$/.exec(name) ?? [];
  return { service, ordinal: Number(ordinal) };
}

/** True for two names of one copy: `posts` and `posts-0`. */
export function isSameCopy(a: string, b: string): boolean {
  const [one, other] = [copyOf(a), copyOf(b)];
  return one.service === other.service && one.ordinal === other.ordinal;
}
