import type { LogEntry } from '../bus.ts';
import { type LogFilter, readLog } from '../requests.ts';
import type { SystemStore } from '../system-store.ts';
import {
  emptyRows,
  fromPage,
  LIVE_ROWS,
  type LogRows,
  matches,
  PAGE,
  withNews,
  withOlder,
  withWaitingShown,
} from './log-rows.ts';

/** The interval between attempts to read the log, in milliseconds. */
const AGAIN_MS = 2_000;

export type LogState = LogRows & { phase: 'searching' | 'ready' | 'failed' };
export type LogList = ReturnType<typeof createLogList>;

/**
 * The newest matching events, live. Reads the log's head first, then the events, then applies what the stream brought
 * after that head, so no event is missed. After a possible gap, reads everything again.
 */
export function createLogList(filter: LogFilter, store: SystemStore) {
  let state: LogState = { ...emptyRows, phase: 'searching' };
  let leaving = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  let held = false;
  /** Every matching event up to this position is in the rows. */
  let upto = 0;
  let newest = 0;
  /** Events that arrive during a read. Only the newest can be shown, so no more are kept. */
  let meanwhile: { entries: LogEntry[]; upto: number; again: boolean } | undefined;
  const listeners = new Set<() => void>();

  function set(change: Partial<LogState>) {
    state = { ...state, ...change };
    for (const listener of listeners) listener();
  }

  async function search(): Promise<void> {
    if (meanwhile) {
      meanwhile.again = true;
      return;
    }
    const { signal } = leaving;
    const mine = { entries: [], upto: 0, again: false };
    meanwhile = mine;
    set({ phase: 'searching' });
    try {
      const { head } = await readLog({}, 1, undefined, signal);
      const { entries } = await readLog(filter, PAGE, undefined, signal);
      upto = Math.max(Number.parseInt(head, 10), mine.upto);
      set({ ...withNews(fromPage(entries), mine.entries, held), phase: 'ready' });
    } catch {
      if (signal.aborted) return;
      timer = setTimeout(search, AGAIN_MS);
      set({ phase: 'failed' });
    }
    meanwhile = undefined;
    if (mine.again) void search();
  }

  /** Takes new events of the log: oldest first, without gaps between them. */
  function take(entries: readonly LogEntry[]) {
    const known = meanwhile?.upto ?? upto;
    const fresh = entries.filter(({ position }) => position > known);
    const [first] = fresh;
    const last = fresh.at(-1);
    if (!first || !last || state.phase === 'failed') return;
    // Before the first read nothing is known, so there can be no gap.
    if (known > 0 && first.position > known + 1) return void search();
    const found = fresh.filter((entry) => matches(filter, entry));
    if (meanwhile) {
      meanwhile.entries = [...meanwhile.entries, ...found].slice(-LIVE_ROWS);
      meanwhile.upto = last.position;
    } else {
      upto = last.position;
      if (found.length > 0) set(withNews(state, found, held));
    }
  }

  /**
   * Events from before the stream began do not come by the stream. If the log's head has gone back, it is another log.
   */
  function onStore() {
    const { recent } = store.getState();
    const end = recent[0]?.position ?? 0;
    const isOther = end < newest;
    newest = end;
    if (isOther) void search();
    else take(recent.toReversed());
  }

  return {
    getState: () => state,
    subscribe(listener: () => void) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    /** Starts reading; returns the function that stops it. May be started again. */
    start() {
      leaving = new AbortController();
      meanwhile = undefined;
      const ignore = store.onEvents(take);
      const unsubscribe = store.subscribe(onStore);
      void search();
      return () => {
        leaving.abort();
        clearTimeout(timer);
        ignore();
        unsubscribe();
      };
    },
    /** Holds the rows as they are: new events wait. */
    hold(whether: boolean) {
      held = whether;
      if (!held && !state.isExtended && state.waitingCount > 0) set(withWaitingShown(state));
    },
    showWaiting: () => set(withWaitingShown(state)),
    async loadOlder() {
      const last = state.rows.at(-1)?.position;
      const { entries } = await readLog(filter, PAGE, last, leaving.signal);
      if (state.rows.at(-1)?.position === last) set(withOlder(state, entries));
    },
  };
}
