// The reader's place in the page: its title, the focus, and the scroll position of each entry of the browser's history.

import { createContext, use, useEffect, useLayoutEffect } from 'react';
import { useHistoryState } from 'wouter/use-browser-location';
import { keep, loadKept } from './kept.ts';
import { fieldsOf, numberOf } from './parse.ts';

const KEY = 'blog.places';

/** Keeps the scroll position of each history entry itself, because browsers restore it before the page has its height. */
export function createPlaces() {
  const tops: Record<number, unknown> = { ...fieldsOf(loadKept(KEY)) };
  /** The current entry, until it is left. */
  let current: number | undefined;
  /** The path arrived at last. Undefined while the page is loading. */
  let path: string | undefined;

  function save() {
    if (current !== undefined) tops[current] = window.scrollY;
    keep(KEY, tops);
  }

  function leave() {
    save();
    current = undefined;
  }

  return {
    watch() {
      const ending = new AbortController();
      history.scrollRestoration = 'manual';
      // Captured: the listener of wouter renders the next view. Its navigation dispatches `pushState`.
      for (const type of ['pushState', 'popstate'])
        addEventListener(type, leave, { capture: true, signal: ending.signal });
      addEventListener('pagehide', save, { signal: ending.signal });
      return () => ending.abort();
    },
    /**
     * Restores the entry's scroll position. After a link to another path was followed, moves the focus to the heading,
     * which announces it. Loading the page moves no focus.
     */
    arrive(heading: string) {
      const known = numberOf(fieldsOf(history.state).entry);
      if (known !== undefined && known === current) return;
      const { pathname } = window.location;
      const isFollowed = path !== undefined && path !== pathname;
      path = pathname;
      current = known ?? Date.now();
      if (known === undefined) history.replaceState({ entry: current }, '');
      if (isFollowed) document.getElementById(heading)?.focus({ preventScroll: true });
      if (isFollowed || known !== undefined)
        window.scrollTo({ top: numberOf(tops[current]) ?? 0, behavior: 'instant' });
    },
  };
}

export const PlacesContext = createContext<ReturnType<typeof createPlaces> | undefined>(undefined);

/** Put after a view. `heading`: the id of its heading; `ready`: it has its height. */
export function Arrival({ heading, title, ready = true }: { heading: string; title: string; ready?: boolean }) {
  const places = use(PlacesContext);
  const entry = useHistoryState();
  useEffect(() => {
    document.title = title;
  }, [title]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: each entry of the history is one arrival
  useLayoutEffect(() => {
    if (ready) places?.arrive(heading);
  }, [places, heading, ready, entry]);
  return null;
}
