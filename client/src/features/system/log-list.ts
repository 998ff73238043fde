import type { LogEntry } from '../../api/bus.ts';
import { type LogFilter, readLog } from '../../api/system.ts';
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
import type { SystemStore } from './system-store.ts';

/** Between two tries to read the log. In milliseconds. */
const AGAIN_MS = 2_000;

export type LogState = LogRows & { phase: 'searching' | 'ready' | 'failed' };
export type LogList = ReturnType<typeof createLogList>;

/**
 * The newest events that match, live. The end of the log is asked for first, then they are read, then what comes behind that
 * end is added: nothing between is missed, and where something could have been, they are read anew.
 */
export function createLogList(filter: LogFilter, store: SystemStore) {
  let state: LogState = { ...emptyRows, phase: 'searching' };
  let leaving = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  let held = false;
  /** All up to this position is in the rows, if it matches. */
  let upto = 0;
  let newest = 0;
  /** What came while they were read: only the newest of it would be shown. */
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

  /** What came to the log, oldest first and without gaps in itself. */
  function take(entries: readonly LogEntry[]) {
    const known = meanwhile?.upto ?? upto;
    const fresh = entries.filter(({ position }) => position > known);
    const [first] = fresh;
    const last = fresh.at(-1);
    if (!first || !last || state.phase === 'failed') return;
    // While they are read for the first time nothing is known, so nothing can be missing.
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

  /** What was there when the stream began came by no stream. If the log ends before it did, it is another one. */
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
    /** Reads and goes on until what it returns is called; it may be started again. */
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
    /** Whether the rows are to stay as they are: what comes waits. */
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
