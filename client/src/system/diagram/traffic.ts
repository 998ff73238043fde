import type { LogEntry, Subscription } from '../bus.ts';
import { short } from '../format.tsx';
import type { SystemStore } from '../system-store.ts';
import { badge, TRAVEL_MS, travel } from './dots.ts';
import type { Line } from './layout.ts';
import { createPace } from './pace.ts';

/** The batching interval of an arrow: events within it are drawn together. */
const BATCH_MS = 200;
const BATCH_CALM_MS = 1_000;
/** Up to this many events are drawn singly, more as one dot with their number. */
const SINGLE = 3;
const BETWEEN_MS = 90;
/** By the stream's next batch, the events that a subscriber got are known. */
const KNOWN_AFTER_MS = 150;

type Lanes = { publish: (source: string) => Line | undefined; deliver: (name: string) => Line | undefined };
type Waiting = { count: number; types: string[]; shownAt: number; timer: ReturnType<typeof setTimeout> | undefined };

/**
 * Animates events: to the bus when the log's stream brings them, and on to each subscriber when its position passes
 * them. Runs outside React, and does nothing while no events come. Returns the function that ends it.
 */
export function showTraffic(store: SystemStore, layer: HTMLElement, lanes: Lanes): () => void {
  const calm = window.matchMedia('(prefers-reduced-motion: reduce)');
  const pace = createPace(TRAVEL_MS);
  const waiting = new Map<string, Waiting>();
  const timers = new Set<ReturnType<typeof setTimeout>>();
  let positions = positionsOf(store.getState().subscriptions);

  function later(ms: number, what: () => void) {
    const timer = setTimeout(() => {
      timers.delete(timer);
      what();
    }, ms);
    timers.add(timer);
    return timer;
  }

  function add(lane: string, line: () => Line | undefined, count: number, types: string[]) {
    const entry = waiting.get(lane) ?? { count: 0, types: [], shownAt: 0, timer: undefined };
    waiting.set(lane, entry);
    entry.count += count;
    if (entry.types.length < SINGLE) entry.types.push(...types);
    const interval = calm.matches ? BATCH_CALM_MS : BATCH_MS;
    entry.timer ??= later(Math.max(0, entry.shownAt + interval - performance.now()), () => show(entry, line()));
  }

  function show(entry: Waiting, line: Line | undefined) {
    const { count, types } = entry;
    Object.assign(entry, { count: 0, types: [], shownAt: performance.now(), timer: undefined });
    if (!line || document.hidden) return;
    if (calm.matches) badge(layer, line, short(count));
    else if (count <= SINGLE && types.length === count) {
      for (const [index, type] of types.entries()) travel(layer, line, type, '', index * BETWEEN_MS);
    } else travel(layer, line, undefined, short(count));
  }

  function published(entries: readonly LogEntry[]) {
    for (const { at, source, events } of pace.published(entries, performance.now())) {
      const types = events.slice(0, SINGLE).map(({ type }) => type);
      later(at - performance.now(), () => add(`from ${source}`, () => lanes.publish(source), events.length, types));
    }
  }

  function moved() {
    const { subscriptions } = store.getState();
    for (const { name, position } of subscriptions) {
      const before = positions.get(name) ?? position;
      if (position > before) later(KNOWN_AFTER_MS, () => delivered(name, before, position));
    }
    positions = positionsOf(subscriptions);
  }

  function delivered(name: string, before: number, position: number) {
    for (const { at, count, types } of pace.delivered(before, position, performance.now())) {
      later(at - performance.now(), () => add(`to ${name}`, () => lanes.deliver(name), count, types));
    }
  }

  const endings = [store.onEvents(published), store.subscribe(moved)];
  return () => {
    for (const end of endings) end();
    for (const timer of timers) clearTimeout(timer);
    layer.replaceChildren();
  };
}

const positionsOf = (subscriptions: readonly Subscription[]) =>
  new Map(subscriptions.map(({ name, position }) => [name, position]));
