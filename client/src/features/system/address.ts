/** The address of the System page as it is, with some of what it says changed; undefined leaves that out. */
export function addressWith(search: URLSearchParams, change: Record<string, string | undefined>): string {
  const next = new URLSearchParams(search);
  for (const [name, value] of Object.entries(change)) {
    if (value === undefined) next.delete(name);
    else next.set(name, value);
  }
  return next.size > 0 ? `/system?${next}` : '/system';
}

/** Where a comment's journey is. */
export const journeyAddress = (comment: string): string => `/system?${new URLSearchParams({ comment })}`;

/** An id in a line: those that are long and without a space are cut, as a UUID is told apart by its end. */
export const shortId = (id: string): string => (id.length > 14 && !id.includes(' ') ? `…${id.slice(-8)}` : id);
