import { useEffect, useRef } from 'react';

/** The time in milliseconds for which content that loads above may still push the heading away. */
const SETTLES_MS = 2_000;

/** Keeps a heading in view and focused after its address was opened, until the reader moves elsewhere. */
export function useArrivedAt(name: string) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    if (!name) return;
    const leaving = new AbortController();
    const { signal } = leaving;
    const place = () => heading.current?.scrollIntoView?.({ block: 'start', behavior: 'instant' });
    // Runs after the effects of the components around it.
    const frame = requestAnimationFrame(() => {
      heading.current?.focus({ preventScroll: true });
      place();
      const page = heading.current?.closest('.system');
      if (!page || typeof ResizeObserver === 'undefined') return;
      const observer = new ResizeObserver(place);
      observer.observe(page);
      signal.addEventListener('abort', () => observer.disconnect());
    });
    const leave = () => leaving.abort();
    const timer = setTimeout(leave, SETTLES_MS);
    for (const input of ['wheel', 'pointerdown', 'keydown']) window.addEventListener(input, leave, { signal });
    return () => {
      leave();
      clearTimeout(timer);
      cancelAnimationFrame(frame);
    };
  }, [name]);
  return heading;
}
