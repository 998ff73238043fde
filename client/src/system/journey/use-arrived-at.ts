import { useEffect, useRef } from 'react';

/** The time in milliseconds for which content that loads above may still push the heading away. */
const SETTLES_MS = 2_000;

/** Keeps a heading in view and focused after its address was opened, until the reader moves elsewhere. */
export function useArrivedAt(name: string) {
  const heading = useRef<HTMLHeadingElement>(null);
  // biome-ignore lint/correctness/useExhaustiveDependencies: each address is one arrival
  useEffect(() => {
    const leaving = new AbortController();
    const { signal } = leaving;
    const place = () => signal.aborted || heading.current?.scrollIntoView?.({ block: 'start', behavior: 'instant' });
    const observer = new ResizeObserver(place);
    signal.addEventListener('abort', () => observer.disconnect());
    for (const input of ['wheel', 'pointerdown', 'keydown'])
      window.addEventListener(input, () => leaving.abort(), { signal });
    const timer = setTimeout(() => leaving.abort(), SETTLES_MS);
    // Runs after the effects of the components around it.
    const frame = requestAnimationFrame(() => {
      heading.current?.focus({ preventScroll: true });
      place();
      const page = heading.current?.closest('.system');
      if (page) observer.observe(page);
    });
    return () => {
      leaving.abort();
      clearTimeout(timer);
      cancelAnimationFrame(frame);
    };
  }, [name]);
  return heading;
}
