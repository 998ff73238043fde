import { Component, type ReactNode } from 'react';

type Props = { arrivals: number; children: ReactNode };
type Place = { element: Element; top: number };

/**
 * Scroll anchoring: when arriving content above changes its height, scrolls by the same amount, so that the text being
 * read or typed stays in place. Changes that the reader asked for (`arrivals` unchanged) move the page as usual.
 */
export class KeepPlace extends Component<Props> {
  /**
   * The last anchored position. Scrolling rounds to whole pixels, so corrections start from here, and rounding errors
   * never add up.
   */
  private kept: (Place & { scrollY: number }) | undefined;

  override getSnapshotBeforeUpdate(previous: Props): Place | null {
    if (previous.arrivals === this.props.arrivals) return null;
    const element = findPlace();
    if (!element) return null;
    const top = element.getBoundingClientRect().top;
    const { kept } = this;
    const still = kept?.element === element && kept.scrollY === window.scrollY && Math.abs(kept.top - top) < 1;
    return { element, top: still ? kept.top : top };
  }

  override componentDidUpdate(_props: Props, _state: unknown, place: Place | null) {
    if (!place?.element.isConnected) return;
    const moved = place.element.getBoundingClientRect().top - place.top;
    if (moved !== 0) window.scrollBy({ top: moved, behavior: 'instant' });
    this.kept = { ...place, scrollY: window.scrollY };
  }

  override render() {
    return this.props.children;
  }
}

/** The focused field, else the element under the pointer, else the one at reading height. None at the very top. */
function findPlace(): Element | null {
  const active = document.activeElement;
  if (active && active !== document.body && isVisible(active)) return active;
  const pointed = [...document.querySelectorAll('[data-place]:hover')].at(-1);
  if (pointed && isVisible(pointed)) return pointed;
  if (window.scrollY === 0) return null;
  const middle = document.elementFromPoint?.(window.innerWidth / 2, window.innerHeight / 3);
  return middle?.closest('[data-place]') ?? null;
}

function isVisible(element: Element): boolean {
  const { top, bottom } = element.getBoundingClientRect();
  return bottom > 0 && top < window.innerHeight;
}
