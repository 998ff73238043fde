// The rows of the log, as pure functions.

import type { LogEntry } from '../bus.ts';

/** The number of live rows. Older ones are dropped, and can be loaded on demand. */
export const LIVE_ROWS = 100;
/** The number of events read at a time. */
export const PAGE = 50;

/** The rows shown, newest first. Immutable. */
export type LogRows = {
  readonly rows: readonly LogEntry[];
  /** The newest events that came while the rows were held, and the number of all. */
  readonly waiting: readonly LogEntry[];
  readonly waitingCount: number;
  readonly hasOlder: boolean;
  /** The reader loaded older rows, so rows are held until the newest are asked for. */
  readonly isExtended: boolean;
};

const NONE = { waiting: [], waitingCount: 0, isExtended: false };

/** The rows of a freshly read page. */
export const fromPage = (rows: readonly LogEntry[]): LogRows => ({ ...NONE, rows, hasOlder: rows.length >= PAGE });

/** Adds new events, oldest first, without duplicates. While `held`, the rows stay as they are. */
export function withNews(known: LogRows, entries: readonly LogEntry[], held: boolean): LogRows {
  const newest = (known.waiting[0] ?? known.rows[0])?.position ?? 0;
  const fresh = entries.filter(({ position }) => position > newest).reverse();
  if (fresh.length === 0) return known;
  const waiting = [...fresh, ...known.waiting].slice(0, LIVE_ROWS);
  const next = { ...known, waiting, waitingCount: known.waitingCount + fresh.length };
  return held || known.isExtended ? next : withWaitingShown(next);
}

/** Shows the waiting events, up to the number of live rows. */
export function withWaitingShown({ waiting, waitingCount, rows, hasOlder }: LogRows): LogRows {
  // The waiting events are either as many as are shown or all there are, so there is no gap before the rows.
  const shown = [...waiting, ...rows].slice(0, LIVE_ROWS);
  return { ...NONE, rows: shown, hasOlder: hasOlder || shown.length < waitingCount + rows.length };
}

/** Adds a page of older events, read after the last row. */
export function withOlder(known: LogRows, page: readonly LogEntry[]): LogRows {
  return { ...known, rows: [...known.rows, ...page], hasOlder: page.length >= PAGE, isExtended: true };
}
