// Addresses within the page.

/** The address of a post. `/posts/:id` is the API. */
export const postAddress = (id: string): string => `/p/${encodeURIComponent(id)}`;

/** The id of the post at an address, if it is one of a post. */
export function postIn(pathname: string): string | undefined {
  const [, id] = /^\/p\/([^/]+)$/.exec(pathname) ?? [];
  try {
    return id && decodeURIComponent(id);
  } catch {
    return id;
  }
}

/** The address of a comment's journey. */
export const journeyAddress = (comment: string): string => `/system?${new URLSearchParams({ comment })}`;
