// Addresses of the System page.

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
