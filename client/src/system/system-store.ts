import { backoffMs } from '../shared/backoff.ts';
import type { StreamState } from '../shared/source.ts';
import type { LogEntry, Subscription } from './bus.ts';
import { createLogTail, RECENT } from './log/log-tail.ts';
import { newsOf } from './news.ts';
import { createPoll } from './poll.ts';
import { PARTS, type PartName, type PartState, readControl, readPart, readSubscriptions } from './requests.ts';
import { type Sample, withSample } from './subscribers/history.ts';

/** Throttle: listeners are called at most this often. */
const APPLY_EVERY_MS = 100;
const SUBSCRIPTIONS_EVERY_MS = 500;
/** The polling interval while a subscriber is behind. */
const BEHIND_EVERY_MS = 250;
/** The delay after an event: most subscribers have it by then. */
const AFTER_EVENT_MS = 60;
/** The polling interval for parts: a killed part is back after about a second, and the outage should be visible. */
const PARTS_EVERY_MS = 1_000;
/** The delay after a change, because one change is seldom alone. */
const AFTER_CHANGE_MS = 400;
const LONGEST_WAIT_MS = 3_000;
const RATE_OVER_MS = 5_000;

export type SystemState = {
  /** The state of the log's stream. */
  connection: StreamState;
  /** The state of the bus. `classic`: it has neither subscriptions nor positions to show. */
  bus: 'connecting' | 'here' | 'away' | 'classic';
  parts: ReadonlyMap<PartName, PartState>;
  /** The subscriptions as last read. */
  subscriptions: readonly Subscription[];
  /** The samples of each subscription in the last five minutes, newest last. */
  history: ReadonlyMap<string, readonly Sample[]>;
  /** The number of times that the log's end was read: events between two of them may have been missed. */
  begun: number;
  /** The newest position known. */
  head: number;
  /** The rate at which the log grows, in events per second over the last five seconds. */
  rate: number;
  /** The newest events, newest first. */
  recent: readonly LogEntry[];
  /** True if this page may control the bus. */
  control: boolean;
  /** The number of control actions taken in this page. */
  done: number;
};

export type SystemStore = ReturnType<typeof createSystemStore>;

const UNKNOWN: SystemState = {
  connection: 'connecting',
  bus: 'connecting',
  parts: new Map(),
  subscriptions: [],
  history: new Map(),
  begun: 0,
  head: 0,
  rate: 0,
  recent: [],
  control: false,
  done: 0,
};

/** The state of the System page: parts, subscriptions and log. `announce` addresses screen readers. */
export function createSystemStore(announce: (text: string) => void) {
  /** `state` is published to listeners, `next` is collected until the next publication. */
  let state = UNKNOWN;
  let next = UNKNOWN;
  let shownAt = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const listeners = new Set<() => void>();
  const eventListeners = new Set<(entries: readonly LogEntry[]) => void>();
  let heads: { at: number; head: number }[] = [];
  let failures = 0;

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
      subscriptions.soon(AFTER_EVENT_MS);
      for (const listener of eventListeners) listener(entries);
    },
    onState: (connection) => set({ connection }),
  });

  const subscriptions = createPoll(async () => {
    try {
      const read = await readSubscriptions();
      failures = 0;
      if (!read) {
        heads = [];
        set({ bus: 'classic', subscriptions: [], head: 0, rate: 0 });
        return PARTS_EVERY_MS;
      }
      took(read);
      return read.some(({ state, lag }) => state === 'live' && lag > 0) ? BEHIND_EVERY_MS : SUBSCRIPTIONS_EVERY_MS;
    } catch {
      heads = [];
      set({ bus: 'away', rate: 0 });
      return Math.min(LONGEST_WAIT_MS, SUBSCRIPTIONS_EVERY_MS + backoffMs(failures++));
    }
  });

  function took(read: Subscription[]) {
    const at = performance.now();
    const head = Math.max(next.recent[0]?.position ?? 0, ...read.map(({ position, lag }) => position + lag));
    heads = [...heads.filter((one) => at - one.at <= RATE_OVER_MS && one.head <= head), { at, head }];
    const [first = { at, head }] = heads;
    const rate = Math.max(0, head - first.head) / Math.max(1, (at - first.at) / 1_000);
    const states = new Map(next.subscriptions.map(({ name, state }) => [name, state]));
    if (read.some(({ name, state }) => state !== (states.get(name) ?? state))) partsSoon();
    if (next.bus === 'away' || next.bus === 'classic') tail.retry();
    const history = new Map(read.map((one) => [one.name, withSample(next.history.get(one.name), at, one)]));
    set({ bus: 'here', subscriptions: read, history, head, rate });
  }

  const parts = PARTS.map((name) =>
    createPoll(async () => {
      const before = next.parts.get(name);
      const part = await readPart(name);
      if (JSON.stringify(part) !== JSON.stringify(before)) {
        set({ parts: new Map(next.parts).set(name, part) });
        if (name === 'client' && part.state === 'ready') await learnControl();
        if (before) return AFTER_CHANGE_MS;
      }
      return PARTS_EVERY_MS;
    }),
  );

  function partsSoon() {
    for (const poll of parts) poll.soon(0);
  }

  async function learnControl() {
    const control = await readControl().catch(() => next.control);
    set({ control });
  }

  return {
    getState: () => state,
    subscribe(listener: () => void) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    announce,
    /**
     * Calls the listener with the log's new events in order, at most ten times per second. Returns the function that
     * unsubscribes.
     */
    onEvents(listener: (entries: readonly LogEntry[]) => void) {
      eventListeners.add(listener);
      return () => void eventListeners.delete(listener);
    },
    /** Reads everything now, after a control action. */
    refresh() {
      set({ done: next.done + 1 });
      subscriptions.soon(0);
    },
    /** Starts polling, until `stop`. Both may be called again. */
    start() {
      tail.start();
      for (const poll of [subscriptions, ...parts]) poll.start();
    },
    stop() {
      tail.stop();
      for (const poll of [subscriptions, ...parts]) poll.stop();
      clearTimeout(timer);
      timer = undefined;
      heads = [];
    },
  };
}
