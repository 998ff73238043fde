import { useEffect, useRef } from 'react';

/** The heading of what an address names: whoever comes to that address, or changes to another one, begins there. */
export function useArrivedAt(name: string) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    if (!name) return;
    // Behind what the page around it does on the same occasion.
    const frame = requestAnimationFrame(() => {
      heading.current?.focus({ preventScroll: true });
      heading.current?.scrollIntoView?.({ block: 'start', behavior: 'instant' });
    });
    return () => cancelAnimationFrame(frame);
  }, [name]);
  return heading;
}
