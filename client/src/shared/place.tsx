// The reader's place in the page: its title, the focus and the scroll position.

import { useEffect, useLayoutEffect } from 'react';
import { keep, loadKept } from './kept.ts';
import { numberOf } from './parse.ts';

const KEY = 'blog.top';

/** The path arrived at last. */
let path = window.location.pathname;
/** The scroll position at which the page was left. Browsers restore it before the posts are loaded. */
let top = history.state === null ? undefined : numberOf(loadKept(KEY));
window.addEventListener('pagehide', () => keep(KEY, window.scrollY));

/**
 * Put after a view. `heading`: the id of its heading; `ready`: it has its height. After another path was opened, moves the
 * focus to the heading, which announces it. A new view begins at its top; for an entry of the history that was visited
 * before, the browser itself restores the scroll position.
 */
export function Arrival({ heading, title, ready = true }: { heading: string; title: string; ready?: boolean }) {
  useEffect(() => {
    document.title = title;
  }, [title]);
  useLayoutEffect(() => {
    if (!ready) return;
    const isNew = history.state === null;
    if (isNew) history.replaceState({}, '');
    if (path !== window.location.pathname) {
      document.getElementById(heading)?.focus({ preventScroll: true });
      top = isNew ? 0 : undefined;
    }
    path = window.location.pathname;
    if (top !== undefined) window.scrollTo({ top, behavior: 'instant' });
    top = undefined;
  }, [heading, ready]);
  return null;
}
