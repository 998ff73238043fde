import { type FocusEvent, type PointerEvent, type RefObject, useEffect, useState } from 'react';

/**
 * Holds a list still while the reader uses it: paused, hovered, focused, or scrolled past its top. `place` is the
 * element with that top.
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
    // A touch has no hover: lifting the finger sends no event.
    onPointerEnter: (event: PointerEvent) => setPointed(event.pointerType !== 'touch'),
    onPointerLeave: () => setPointed(false),
    onFocus: () => setFocused(true),
    onBlur: (event: FocusEvent) => setFocused(event.currentTarget.contains(event.relatedTarget)),
  };
  return { held: paused || pointed || focused || below, paused, setPaused, watch };
}
