import { useEffect, useRef } from 'react';

/** The time in milliseconds for which content that loads above may still push the heading away. */
const SETTLES_MS = 2_000;
/** The space that stays above it. */
const MARGIN_PX = 16;

/** Keeps a heading in view and focused after its address was opened, until the reader moves elsewhere. */
export function useArrivedAt() {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    const observer = new ResizeObserver(() => heading.current && show(heading.current));
    const leave = () => observer.disconnect();
    for (const input of ['wheel', 'pointerdown', 'keydown']) window.addEventListener(input, leave, { once: true });
    const timer = setTimeout(leave, SETTLES_MS);
    // Runs after the effects of the components around it. Observing begins with a first call.
    const frame = requestAnimationFrame(() => {
      heading.current?.focus({ preventScroll: true });
      // Not the whole, which keeps its height where it scrolls on its own.
      for (const section of heading.current?.closest('.system')?.children ?? []) observer.observe(section);
    });
    return () => {
      leave();
      clearTimeout(timer);
      cancelAnimationFrame(frame);
    };
  }, []);
  return heading;
}

/** Scrolls to the card of a heading. `scrollIntoView` would also scroll the blog that the System page stands beside. */
function show(heading: HTMLElement) {
  const top = (element: Element | null) => element?.getBoundingClientRect().top ?? 0;
  const beside = heading.closest('[data-beside=true] .system');
  const options = { top: top(heading.closest('.card')) - top(beside) - MARGIN_PX, behavior: 'instant' } as const;
  (beside ?? window).scrollBy(options);
}
