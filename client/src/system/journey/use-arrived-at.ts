import { useEffect, useRef } from 'react';

/** The time in milliseconds for which content that loads above may still push the heading away. */
const SETTLES_MS = 2_000;

/** Keeps a heading in view and focused after its address was opened, until the reader moves elsewhere. */
export function useArrivedAt() {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    const observer = new ResizeObserver(() => heading.current?.scrollIntoView({ behavior: 'instant' }));
    const leave = () => observer.disconnect();
    for (const input of ['wheel', 'pointerdown', 'keydown']) window.addEventListener(input, leave, { once: true });
    const timer = setTimeout(leave, SETTLES_MS);
    // Runs after the effects of the components around it. Observing begins with a first call.
    const frame = requestAnimationFrame(() => {
      heading.current?.focus({ preventScroll: true });
      observer.observe(heading.current?.closest('.system') as Element);
    });
    return () => {
      leave();
      clearTimeout(timer);
      cancelAnimationFrame(frame);
    };
  }, []);
  return heading;
}
