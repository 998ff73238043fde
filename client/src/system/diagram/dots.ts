// Draws travelling events as dots, directly in the DOM.

import type { Line, Point } from './layout.ts';

export const TRAVEL_MS = 500;
/** The time in milliseconds for which a number is shown under `prefers-reduced-motion`. */
const BADGE_MS = 900;

const at = ({ x, y }: Point) => `translate(${x}px, ${y}px)`;

function dot(layer: HTMLElement, type: string | undefined, text: string): HTMLElement {
  const element = document.createElement('span');
  element.className = 'dot';
  element.dataset.type = type ?? 'many';
  element.textContent = text;
  layer.append(element);
  return element;
}

/**
 * Draws one event, or a number of events, that travels along a line, starting after `delay` milliseconds. Removes it
 * afterwards.
 */
export function travel(layer: HTMLElement, { from, to }: Line, type: string | undefined, text = '', delay = 0) {
  const element = dot(layer, type, text);
  const keyframes = [
    { transform: `${at(from)} scale(0.3)`, opacity: 0 },
    { transform: at({ x: from.x + (to.x - from.x) * 0.1, y: from.y }), opacity: 1, offset: 0.1 },
    { transform: at({ x: from.x + (to.x - from.x) * 0.9, y: from.y }), opacity: 1, offset: 0.9 },
    { transform: `${at(to)} scale(0.3)`, opacity: 0 },
  ];
  const animation = element.animate(keyframes, { duration: TRAVEL_MS, delay, fill: 'backwards' });
  animation.onfinish = () => element.remove();
}

/** Shows the number of events that travelled a line, without motion. */
export function badge(layer: HTMLElement, { from, to }: Line, count: string) {
  const element = dot(layer, undefined, `+${count}`);
  element.style.transform = at({ x: (from.x + to.x) / 2, y: to.y });
  setTimeout(() => element.remove(), BADGE_MS);
}
