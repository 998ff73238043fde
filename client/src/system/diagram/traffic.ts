// Draws the events that travel along the diagram's lanes, as dots, directly in the DOM.

import type { LogEntry } from '../bus.ts';
import { short } from '../format.tsx';
import type { SystemStore } from '../system-store.ts';
import { OTHERS } from './members.ts';

/** The shape and the colour of an event, by its type. */
export const LOOKS: Record<string, { shape: string; color: string }> = {
  PostCreated: { shape: '■', color: 'light-dark(#2f55b8, #93b4ff)' },
  CommentCreated: { shape: '●', color: 'light-dark(#0b6b5d, #6ed6c4)' },
  CommentModerated: { shape: '◆', color: 'light-dark(#a34a00, #f5b062)' },
  CommentUpdated: { shape: '▲', color: 'light-dark(#8c2f8f, #e79bea)' },
  'another type': { shape: '○', color: 'var(--quiet)' },
};

/** The duration of the animation in diagram.css, and of a number under `prefers-reduced-motion`. */
const TRAVEL_MS = 500;
const BADGE_MS = 900;
/** Throttle: all lanes are drawn together, so that the browser lays the picture out a few times a second at most. */
const DRAW_EVERY_MS = 200;
const DRAW_CALM_EVERY_MS = 1_000;
/** Up to this many events are drawn singly, more as one dot with their number. */
const SINGLE = 3;
const BETWEEN_MS = 90;
/** By the stream's next batch, the events that a subscriber got are known. */
const KNOWN_AFTER_MS = 150;
/** Larger batches are not slowed down. */
const FEW = 6;
const REMEMBERED = 200;

/** `lane`: `from posts` or `to query`. `type` is undefined if the events are not known. */
type Departure = { lane: string; at: number; count: number; type: string | undefined };
type Arrival = { at: number; position: number; type: string; subject: string | undefined };

/**
 * Animates events: to the bus when the log's stream brings them, and on to each subscriber when its position passes
 * them. A comment gets its verdict within milliseconds, so events are slowed down for the eye: while there are few, one
 * leaves its publisher only after the one before it with the same subject has reached the bus. Does nothing while no
 * events come. Returns the function that ends it.
 */
export function showTraffic(store: SystemStore, picture: HTMLElement): () => void {
  const calm = window.matchMedia('(prefers-reduced-motion: reduce)');
  const positions = new Map<string, number>();
  let waiting: Departure[] = [];
  let arrivals: Arrival[] = [];
  let isDrawing = false;
  let isOver = false;
  const later = (ms: number, work: () => void) => setTimeout(() => isOver || work(), ms);

  function depart(departure: Departure) {
    waiting.push(departure);
    if (!isDrawing) later(0, draw);
    isDrawing = true;
  }

  function published(entries: readonly LogEntry[]) {
    const now = performance.now();
    for (const { position, type, subject, source } of entries) {
      const cause = entries.length <= FEW && subject && arrivals.findLast((one) => one.subject === subject);
      const at = cause ? Math.max(now, cause.at) : now;
      arrivals.push({ position, type, subject, at: at + TRAVEL_MS });
      depart({ lane: `from ${source}`, at, count: 1, type });
    }
    arrivals = arrivals.slice(-REMEMBERED);
  }

  function moved() {
    for (const { name, service, position } of store.getState().subscriptions) {
      const before = positions.get(name) ?? position;
      if (position > before) later(KNOWN_AFTER_MS, () => delivered(`to ${service}`, before, position));
      positions.set(name, position);
    }
  }

  function delivered(lane: string, after: number, upto: number) {
    const known = arrivals.filter(({ position }) => position > after && position <= upto);
    for (const { at, type } of known) depart({ lane, at, count: 1, type });
    const count = upto - after - known.length;
    if (count > 0) depart({ lane, at: performance.now(), count, type: undefined });
  }

  function draw() {
    const now = performance.now();
    const due = waiting.filter(({ at }) => at <= now);
    waiting = waiting.filter(({ at }) => at > now);
    isDrawing = due.length + waiting.length > 0;
    if (isDrawing) later(calm.matches ? DRAW_CALM_EVERY_MS : DRAW_EVERY_MS, draw);
    if (document.hidden) return;
    const dots = [...Map.groupBy(due, ({ lane }) => lane)].flatMap(([lane, events]) => drawLane(laneOf(lane), events));
    // A timer removes them, because a page without animations has none that ends.
    later(calm.matches ? BADGE_MS : TRAVEL_MS + (SINGLE - 1) * BETWEEN_MS, () => {
      for (const dot of dots) dot.remove();
    });
  }

  function laneOf(name: string): Element | undefined {
    const lanes = Array.from(picture.querySelectorAll<HTMLElement>('[data-lane]'));
    const named = (wanted: string) => lanes.find(({ dataset }) => dataset.lane === wanted);
    return named(name) ?? (name.startsWith('from ') ? named(`from ${OTHERS}`) : undefined);
  }

  function drawLane(lane: Element | undefined, events: Departure[]): Element[] {
    const count = events.reduce((sum, one) => sum + one.count, 0);
    if (calm.matches) return [addDot(lane, `+${short(count)}`)];
    if (count > SINGLE) return [addDot(lane, short(count))];
    return events.map((one, index) => addDot(lane, short(one.count), one.type, index * BETWEEN_MS));
  }

  function addDot(lane: Element | undefined, text: string, type?: string, delay = 0): Element {
    const { shape = text, color = '' } = type === undefined ? {} : (LOOKS[type] ?? LOOKS['another type'] ?? {});
    const dot = document.createElement('span');
    dot.className = 'dot';
    dot.dataset.type = type ?? 'many';
    dot.textContent = shape;
    dot.style.color = color;
    dot.style.animationDelay = `${delay}ms`;
    lane?.append(dot);
    return dot;
  }

  moved();
  const endings = [store.onEvents(published), store.subscribe(moved)];
  return () => {
    isOver = true;
    for (const end of endings) end();
  };
}
