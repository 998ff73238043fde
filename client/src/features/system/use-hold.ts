import { type FocusEvent, type PointerEvent, type RefObject, useEffect, useState } from 'react';

/**
 * Whether what is being read is to stay as it is: while it is paused, pointed at, in use by the keyboard, or while its top
 * is out of sight because the reader went on reading below. `place`: what has that top.
 */
export function useHold(place: RefObject<HTMLElement | null>) {
  const [paused, setPaused] = useState(false);
  const [pointed, setPointed] = useState(false);
  const [focused, setFocused] = useState(false);
  const [below, setBelow] = useState(false);

  useEffect(() => {
    if (!place.current || typeof IntersectionObserver === 'undefined') return;
    const top = place.current.firstElementChild;
    const observer = new IntersectionObserver(([entry]) => {
      if (entry) setBelow(!entry.isIntersecting && entry.boundingClientRect.top < (entry.rootBounds?.top ?? 0));
    });
    if (top) observer.observe(top);
    return () => observer.disconnect();
  }, [place]);

  const watch = {
    // A finger that touches is gone again when it is lifted.
    onPointerEnter: (event: PointerEvent) => setPointed(event.pointerType !== 'touch'),
    onPointerLeave: () => setPointed(false),
    onFocus: () => setFocused(true),
    onBlur: (event: FocusEvent) => setFocused(event.currentTarget.contains(event.relatedTarget)),
  };
  return { held: paused || pointed || focused || below, paused, setPaused, watch };
}
