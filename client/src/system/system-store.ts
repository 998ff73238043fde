import { type QueryClient, QueryObserver } from '@tanstack/react-query';
import { announce } from '../shared/announce.ts';
import { createListeners } from '../shared/listeners.ts';
import type { LogEntry, Subscription } from './bus.ts';
import { type Lesson, readLesson } from './lesson.ts';
import { createLogTail } from './log/log-tail.ts';
import { newsOf } from './news.ts';
import { type PartName, type PartState, readStates, type States } from './requests.ts';
import { type Sample, withSample } from './subscribers/samples.ts';

/** The polling interval while nothing happens: a killed part is back after about a second, and should be seen away. */
const CALM_EVERY_MS = 1_000;
/** The polling interval while a subscriber is behind. */
const BEHIND_EVERY_MS = 250;
/** The delay after an event: subscribers have it by then. Also a throttle. */
const AFTER_EVENT_MS = 120;
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
  /** The same of each source of events: the position is the number of events that it has published. */
  sources: ReadonlyMap<string, readonly Sample[]>;
  /** The number of times that the log's end was read: events between two of them may have been missed. */
  begun: number;
  /** The newest position known. */
  head: number;
  /** True if this page may control the bus. */
  control: boolean;
  /** The address of a store of log lines, if the gateway names one. */
  logs: string | undefined;
  /** The bus that runs in place of ours. */
  lesson: Lesson | undefined;
};

export type SystemStore = ReturnType<typeof createSystemStore>;

export const UNKNOWN: SystemState = {
  bus: 'connecting',
  parts: new Map(),
  subscriptions: [],
  history: new Map(),
  sources: new Map(),
  begun: 0,
  head: 0,
  control: false,
  logs: undefined,
  lesson: undefined,
};

/** The state of the System page: parts, subscriptions and log. */
export function createSystemStore(client: QueryClient) {
  const lesson = readLesson();
  // Of such a bus it is known from the start that there is nothing to ask for.
  let state: SystemState = { ...UNKNOWN, lesson, bus: lesson ? 'foreign' : 'connecting' };
  const changes = createListeners();
  const events = createListeners<[entries: readonly LogEntry[]]>();
  /** The newest position that the log's stream brought, and the number of events of each source. */
  let newest = 0;
  const published = new Map<string, number>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  let unsubscribe: () => void = () => undefined;

  function set(change: Partial<SystemState>) {
    const before = state;
    state = { ...state, ...change };
    for (const text of newsOf(before, state)) announce(text);
    changes.notify();
  }

  const tail = createLogTail({
    onBegin(entries) {
      newest = entries[0]?.position ?? 0;
      for (const { source } of entries) published.set(source, published.get(source) ?? 0);
      set({ head: newest, begun: state.begun + 1 });
    },
    onEvents(entries) {
      newest = entries.at(-1)?.position ?? newest;
      for (const { source } of entries) published.set(source, (published.get(source) ?? 0) + 1);
      timer ??= setTimeout(readAfterEvent, AFTER_EVENT_MS);
      events.notify(entries);
    },
  });

  /** Polls while the tab is visible, one request at a time. Its data is the milliseconds until the next. */
  const poll = new QueryObserver(client, {
    queryKey: ['states'],
    async queryFn({ signal }): Promise<number> {
      const known = newest;
      const states = await readStates(signal).catch(() => undefined);
      if (signal.aborted) return 0;
      if (states) return take(states, known);
      set({ bus: 'away', parts: new Map(state.parts).set('client', { state: 'away' }) });
      return FAILED_EVERY_MS + JITTER_MS * Math.random();
    },
    refetchInterval: ({ state }) => state.data ?? false,
  });

  function readAfterEvent() {
    timer = undefined;
    void poll.refetch({ cancelRefetch: false });
  }

  /** Applies the states, requested when the position was `known`. Returns the milliseconds until the next request. */
  function take({ parts, bus, subscriptions, control, logs }: States, known: number): number {
    if (bus === 'here' && (state.bus === 'away' || state.bus === 'foreign')) tail.resume();
    if (bus === 'away') set({ bus, control, logs, parts });
    if (bus === 'foreign') tail.stop();
    if (bus === 'foreign') set({ bus, control, logs, parts, subscriptions, head: 0 });
    if (bus === 'here') {
      const at = performance.now();
      const history = new Map(subscriptions.map((one) => [one.name, withSample(state.history.get(one.name), at, one)]));
      const sources = new Map(
        [...published].map(([name, count]) => [name, withCount(state.sources.get(name), at, count)]),
      );
      const heads = subscriptions.map(({ position, lag }) => position + lag);
      set({ bus, control, logs, parts, subscriptions, history, sources, head: Math.max(newest, ...heads) });
    }
    const isBehind = newest > known || subscriptions.some(({ state, lag }) => state === 'live' && lag > 0);
    return isBehind ? BEHIND_EVERY_MS : CALM_EVERY_MS;
  }

  return {
    getState: () => state,
    subscribe: changes.subscribe,
    /** Calls the listener with the log's new events in order, at most ten times per second. */
    onEvents: events.subscribe,
    /** Starts polling, until `stop`. Both may be called again. */
    start() {
      if (state.bus !== 'foreign') tail.start();
      unsubscribe = poll.subscribe(() => undefined);
    },
    stop() {
      tail.stop();
      unsubscribe();
      clearTimeout(timer);
      timer = undefined;
    },
  };
}

/** A source that is new had published nothing before. */
const withCount = (samples: readonly Sample[] | undefined, at: number, position: number) => {
  const none = { at, lag: 0, lagSeconds: 0 };
  return withSample(samples ?? [{ ...none, position: 0 }], at, { ...none, position });
};
