import { keepPreviousData, useQuery, useQueryClient } from '@tanstack/react-query';
import {
  type FocusEvent,
  type PointerEvent,
  type ReactNode,
  type RefObject,
  useEffect,
  useEffectEvent,
  useRef,
  useState,
} from 'react';
import { announce } from '../../shared/announce.ts';
import { createBatch } from '../../shared/batch.ts';
import { More } from '../../shared/more.tsx';
import type { LogEntry } from '../bus.ts';
import { eventsText } from '../format.tsx';
import { type LogFilter, readLog } from '../requests.ts';
import { useSystem, useSystemStore } from '../system-context.ts';
import { fromPage, LIVE_ROWS, type LogRows, PAGE, withNews, withOlder, withWaitingShown } from './log-rows.ts';
import { LogTable } from './log-table.tsx';

/** The interval between attempts to read the log, in milliseconds. */
const AGAIN_MS = 2_000;
/** Throttle: the rows change at most this often, however many events come. */
const DRAW_EVERY_MS = 250;

/** Below `children` the newest matching events, live; older ones on demand. While rows are held, new events wait. */
export function LogList({ filter, children }: { filter: LogFilter; children: ReactNode }) {
  const list = useRef<HTMLDivElement>(null);
  const { held, paused, setPaused, watch } = useHold(list);
  const { known, isRead, failed, change } = useRows(filter, held);
  const { rows, waitingCount, isExtended, hasOlder } = known;

  function showWaiting() {
    change(withWaitingShown);
    list.current?.scrollIntoView?.();
  }

  async function loadOlder() {
    const last = rows.at(-1)?.position;
    const { entries } = await readLog({ ...filter, limit: PAGE, before: last });
    change((now) => (now.rows.at(-1)?.position === last ? withOlder(now, entries) : now));
  }

  return (
    <div className="entries stack" ref={list}>
      {children}
      <div className="entries-head">
        <button type="button" aria-pressed={paused} onClick={() => setPaused(!paused)}>
          Pause
        </button>
        {(waitingCount > 0 || isExtended) && (
          <button type="button" className="primary" onClick={showWaiting}>
            {waitingText(waitingCount)}
          </button>
        )}
      </div>
      {failed && <p className="waits">The log cannot be read at the moment. The page keeps trying.</p>}
      {!failed && rows.length === 0 && <p className="note">{emptyText(filter, isRead)}</p>}
      {rows.length > 0 && (
        <div {...watch}>
          <LogTable rows={rows} />
        </div>
      )}
      {hasOlder && <More text="Older events" busyText="Searching…" load={loadOlder} items="tbody th a" />}
    </div>
  );
}

const NO_ROWS = fromPage([]);

/** The matching events and their changes. After a possible gap everything is read again; the rows stay until then. */
function useRows(filter: LogFilter, held: boolean) {
  const { onEvents } = useSystemStore();
  const begun = useSystem((state) => state.begun);
  const isAway = useSystem(({ bus }) => bus === 'away');
  const client = useQueryClient();
  const { type, subject } = filter;
  const queryKey = ['log', type, subject, begun];

  const matching = (entries: readonly LogEntry[]) =>
    entries.filter((entry) => (type ?? entry.type) === entry.type && (subject ?? entry.subject) === entry.subject);

  /** Reads a page and adds the events that the stream brought meanwhile, so none is missed between the two. */
  async function readRows(signal: AbortSignal): Promise<LogRows> {
    let meanwhile: LogEntry[] = [];
    const ignore = onEvents((entries) => {
      meanwhile = [...meanwhile, ...matching(entries)].slice(-LIVE_ROWS);
    });
    const { entries } = await readLog({ ...filter, limit: PAGE }, signal).finally(ignore);
    const rows = withNews(fromPage(entries), meanwhile, false);
    if (type || subject) announce(foundText(rows.rows.length, rows.hasOlder));
    return rows;
  }

  const { data, isPlaceholderData, failureCount } = useQuery({
    queryKey,
    queryFn: ({ signal }) => readRows(signal),
    enabled: begun > 0,
    // Kept up to date by the stream while shown, and only then.
    ...{ staleTime: 'static', gcTime: 0, structuralSharing: false, placeholderData: keepPreviousData },
    ...{ retry: true, retryDelay: AGAIN_MS },
  });
  const change = (next: (known: LogRows) => LogRows) =>
    client.setQueryData<LogRows>(queryKey, (known) => known && next(known));

  const take = useEffectEvent((entries: LogEntry[]) => change((known) => withNews(known, matching(entries), held)));
  // biome-ignore lint/correctness/useExhaustiveDependencies: events from before a gap are read again
  useEffect(() => {
    let isOver = false;
    const batch = createBatch<readonly LogEntry[]>(DRAW_EVERY_MS, (batches) => isOver || take(batches.flat()));
    const ignore = onEvents(batch.add);
    return () => {
      isOver = true;
      ignore();
    };
  }, [onEvents, begun]);

  const release = useEffectEvent(() => change((known) => (known.isExtended ? known : withWaitingShown(known))));
  useEffect(() => {
    if (!held) release();
  }, [held]);

  const failed = failureCount > 0 || (begun === 0 && isAway);
  return { known: data ?? NO_ROWS, isRead: data !== undefined && !isPlaceholderData, failed, change };
}

/**
 * Holds the rows while the reader uses them: paused, pointed at, used by the keyboard, or scrolled past their top. Also
 * while they are out of view, so that nothing is drawn for nobody.
 */
function useHold(list: RefObject<HTMLElement | null>) {
  const [paused, setPaused] = useState(false);
  const [pointed, setPointed] = useState(false);
  const [focused, setFocused] = useState(false);
  const [away, setAway] = useState(false);

  useEffect(() => {
    const observer = new IntersectionObserver((changes) => setAway(changes.at(-1)?.isIntersecting === false));
    observer.observe(list.current?.firstElementChild as Element);
    return () => observer.disconnect();
  }, [list]);

  const watch = {
    // A touch has no hover: lifting the finger sends no event.
    onPointerEnter: (event: PointerEvent) => setPointed(event.pointerType !== 'touch'),
    onPointerLeave: () => setPointed(false),
    onFocus: () => setFocused(true),
    onBlur: (event: FocusEvent) => setFocused(event.currentTarget.contains(event.relatedTarget)),
  };
  return { held: paused || pointed || focused || away, paused, setPaused, watch };
}

function emptyText({ type, subject }: LogFilter, isRead: boolean): string {
  if (!isRead) return type && !subject ? 'Searching the whole log for this type…' : 'Reading the log…';
  return type || subject ? 'No event in the log matches. New ones are shown here.' : 'The log is empty.';
}

const waitingText = (count: number): string =>
  count === 0 ? 'Show the newest' : `${count.toLocaleString()} new ${count === 1 ? 'event' : 'events'}`;

const foundText = (count: number, hasMore: boolean): string =>
  count === 0 ? 'No such event.' : `${hasMore ? 'More than ' : ''}${eventsText(count)} found.`;
