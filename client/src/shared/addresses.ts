// Addresses within the page.

import { useMemo } from 'react';
import { useLocationProperty } from 'wouter/use-browser-location';

/** The parameters of the current address. Not wouter's, which decodes it twice. */
export function useSearchParams(): URLSearchParams {
  const search = useLocationProperty(() => window.location.search);
  return useMemo(() => new URLSearchParams(search), [search]);
}

/** The current address of the System page with some parameters changed; undefined removes one. */
export function addressWith(search: URLSearchParams, change: Record<string, string | undefined>): string {
  const next = new URLSearchParams(search);
  for (const [name, value] of Object.entries(change)) {
    if (value === undefined) next.delete(name);
    else next.set(name, value);
  }
  return next.size > 0 ? `/system?${next}` : '/system';
}

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

/** Shortens a long id without spaces to its end, the part by which UUIDv7 ids differ. */
export const shortId = (id: string): string => (id.length > 14 && !id.includes(' ') ? `…${id.slice(-8)}` : id);
