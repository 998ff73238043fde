import type { LogEntry } from '../../api/bus.ts';
import type { LogFilter } from '../../api/system.ts';

/** As many rows are live: what is older goes, and can be had on demand. */
export const LIVE_ROWS = 100;
/** How many are read at a time. */
export const PAGE = 50;

/** The part of the log that is shown, newest first. Never changed in place. */
export type LogRows = {
  readonly rows: readonly LogEntry[];
  /** What came while the rows were to stay as they are: the newest of it, and how much it is. */
  readonly waiting: readonly LogEntry[];
  readonly waitingCount: number;
  readonly hasOlder: boolean;
  /** The reader asked for older ones, so the rows stay until the newest are asked for. */
  readonly isExtended: boolean;
};

export const emptyRows: LogRows = { rows: [], waiting: [], waitingCount: 0, hasOlder: false, isExtended: false };

export const matches = (filter: LogFilter, { type, subject }: LogEntry): boolean =>
  (filter.type === undefined || filter.type === type) && (filter.subject === undefined || filter.subject === subject);

/** The newest, as they were read. */
export const fromPage = (rows: readonly LogEntry[]): LogRows => ({
  ...emptyRows,
  rows,
  hasOlder: rows.length >= PAGE,
});

/** Adds what has come, oldest first; what is known already is left out. While they are `held` the rows stay as they are. */
export function withNews(known: LogRows, entries: readonly LogEntry[], held: boolean): LogRows {
  const newest = (known.waiting[0] ?? known.rows[0])?.position ?? 0;
  const fresh = entries.filter(({ position }) => position > newest).reverse();
  if (fresh.length === 0) return known;
  const waiting = [...fresh, ...known.waiting].slice(0, LIVE_ROWS);
  const next = { ...known, waiting, waitingCount: known.waitingCount + fresh.length };
  return held || known.isExtended ? next : withWaitingShown(next);
}

/** Shows what waits, and as many as are live. */
export function withWaitingShown(known: LogRows): LogRows {
  const { waiting, waitingCount, rows } = known;
  // What waits is as long as what is shown, or all there is: no gap is between the two.
  const shown = [...waiting, ...rows].slice(0, LIVE_ROWS);
  return { ...emptyRows, rows: shown, hasOlder: known.hasOlder || shown.length < waitingCount + rows.length };
}

/** Adds a page of older ones, read behind the last row. */
export function withOlder(known: LogRows, page: readonly LogEntry[]): LogRows {
  return { ...known, rows: [...known.rows, ...page], hasOlder: page.length >= PAGE, isExtended: true };
}
