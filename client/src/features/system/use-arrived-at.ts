import { useEffect, useRef } from 'react';

/** So long what loads above may push it away. In milliseconds. */
const SETTLES_MS = 2_000;

/**
 * The heading of what an address names: whoever comes to that address, or changes to another one, begins there, until he
 * goes somewhere else himself.
 */
export function useArrivedAt(name: string) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    if (!name) return;
    const leaving = new AbortController();
    const { signal } = leaving;
    const place = () => heading.current?.scrollIntoView?.({ block: 'start', behavior: 'instant' });
    // Behind what the page around it does on the same occasion.
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
