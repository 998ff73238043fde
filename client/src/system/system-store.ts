import { announce } from '../shared/announce.ts';
import type { LogEntry, Subscription } from './bus.ts';
import { createLogTail, RECENT } from './log/log-tail.ts';
import { newsOf } from './news.ts';
import { createPoll } from './poll.ts';
import { type PartName, type PartState, readStates, type States } from './requests.ts';
import { type Sample, withSample } from './subscribers/samples.ts';

/** Throttle: listeners are called at most this often. */
const APPLY_EVERY_MS = 100;
/** The polling interval while nothing happens: a killed part is back after about a second, and should be seen away. */
const CALM_EVERY_MS = 1_000;
/** The polling interval after a change, because one is seldom alone; and while a subscriber is behind. */
const CHANGED_EVERY_MS = 500;
const BEHIND_EVERY_MS = 250;
/** The delay after an event: most subscribers have it by then. */
const AFTER_EVENT_MS = 60;
/** The shortest wait after a failure, and its random part, so that pages do not all ask at the same moment. */
const FAILED_EVERY_MS = 500;
const JITTER_MS = 1_500;

export type SystemState = {
  bus: 'connecting' | States['bus'];
  parts: ReadonlyMap<PartName, PartState>;
  /** The subscriptions as last read. */
  subscriptions: readonly Subscription[];
  /** The samples of each subscription in the last five minutes, newest last. */
  history: ReadonlyMap<string, readonly Sample[]>;
  /** The number of times that the log's end was read: events between two of them may have been missed. */
  begun: number;
  /** The newest position known. */
  head: number;
  /** The newest events, newest first. */
  recent: readonly LogEntry[];
  /** True if this page may control the bus. */
  control: boolean;
};

export type SystemStore = ReturnType<typeof createSystemStore>;

const UNKNOWN: SystemState = {
  bus: 'connecting',
  parts: new Map(),
  subscriptions: [],
  history: new Map(),
  begun: 0,
  head: 0,
  recent: [],
  control: false,
};

/** The state of the System page: parts, subscriptions and log. */
export function createSystemStore() {
  /** `state` is published to listeners, `next` is collected until the next publication. */
  let state = UNKNOWN;
  let next = UNKNOWN;
  let shownAt = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const listeners = new Set<() => void>();
  const eventListeners = new Set<(entries: readonly LogEntry[]) => void>();
  /** The states as last read, without their numbers. */
  let known = '';

  function set(change: Partial<SystemState>) {
    next = { ...next, ...change };
    timer ??= setTimeout(show, Math.max(0, shownAt + APPLY_EVERY_MS - performance.now()));
  }

  function show() {
    timer = undefined;
    shownAt = performance.now();
    const before = state;
    state = next;
    for (const text of newsOf(before, state)) announce(text);
    for (const listener of listeners) listener();
  }

  const tail = createLogTail({
    onBegin(entries) {
      const head = entries.at(-1)?.position ?? 0;
      set({ recent: entries.toReversed(), head, begun: next.begun + 1 });
    },
    onEvents(entries) {
      const recent = [...entries.slice(-RECENT).reverse(), ...next.recent].slice(0, RECENT);
      set({ recent, head: Math.max(next.head, entries.at(-1)?.position ?? 0) });
      poll.soon(AFTER_EVENT_MS);
      for (const listener of eventListeners) listener(entries);
    },
  });

  const poll = createPoll(async (signal) => {
    const states = await readStates(signal).catch(() => undefined);
    if (signal.aborted) return 0;
    if (states) return take(states);
    known = '';
    set({ bus: 'away', parts: new Map(next.parts).set('client', { state: 'away' }) });
    return FAILED_EVERY_MS + JITTER_MS * Math.random();
  });

  /** Applies the states; returns the milliseconds until they should be read again. */
  function take({ parts, bus, subscriptions, control }: States): number {
    const gist = JSON.stringify([bus, ...parts, ...subscriptions.map(({ name, state }) => [name, state])]);
    const hasChanged = gist !== known;
    known = gist;
    if (bus === 'here' && (next.bus === 'away' || next.bus === 'foreign')) tail.retry();
    set({ bus, control, ...(hasChanged && { parts }) });
    if (bus === 'foreign') set({ subscriptions, head: 0 });
    if (bus === 'here') {
      const at = performance.now();
      const history = new Map(subscriptions.map((one) => [one.name, withSample(next.history.get(one.name), at, one)]));
      const heads = subscriptions.map(({ position, lag }) => position + lag);
      set({ subscriptions, history, head: Math.max(next.recent[0]?.position ?? 0, ...heads) });
    }
    if (subscriptions.some(({ state, lag }) => state === 'live' && lag > 0)) return BEHIND_EVERY_MS;
    return hasChanged ? CHANGED_EVERY_MS : CALM_EVERY_MS;
  }

  return {
    getState: () => state,
    subscribe(listener: () => void) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    /**
     * Calls the listener with the log's new events in order, at most ten times per second. Returns the function that
     * unsubscribes.
     */
    onEvents(listener: (entries: readonly LogEntry[]) => void) {
      eventListeners.add(listener);
      return () => void eventListeners.delete(listener);
    },
    /** Reads the states now, after a control action. */
    refresh: () => poll.soon(0),
    /** Starts polling, until `stop`. Both may be called again. */
    start() {
      tail.start();
      poll.start();
    },
    stop() {
      tail.stop();
      poll.stop();
      clearTimeout(timer);
      timer = undefined;
    },
  };
}
