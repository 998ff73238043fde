import { useEffect, useEffectEvent, useId, useMemo, useRef, useSyncExternalStore } from 'react';
import { useQuery } from '../../shared/addresses.ts';
import { useAction } from '../../shared/use-action.ts';
import { useSystemState, useSystemStore } from '../system-context.ts';
import { EventView } from './event-view.tsx';
import { LogFilterForm } from './log-filter-form.tsx';
import { createLogList, type LogList, type LogState } from './log-list.ts';
import { LogTable } from './log-table.tsx';
import { useHold } from './use-hold.ts';
import './log.css';

/** The log: the newest events live, older ones on demand, filtered by type and subject, and single events in full. */
export function LogView() {
  const search = useQuery();
  const { bus, head } = useSystemState();
  const event = search.get('event');
  const id = useId();
  const type = search.get('type') || undefined;
  const subject = search.get('subject') || undefined;
  return (
    <section className="log card" aria-labelledby={id}>
      <div className="card-head">
        <h3 id={id} tabIndex={-1}>
          The log
        </h3>
        {(head > 0 || bus === 'here') && <p>{head === 1 ? '1 event' : `${head.toLocaleString()} events`}</p>}
      </div>
      {event !== null && <EventView key={event} position={event} />}
      <LogFilterForm key={`${type}\n${subject}`} type={type} subject={subject} />
      <Entries key={`${type}\n${subject}\n`} type={type} subject={subject} />
    </section>
  );
}

function Entries({ type, subject }: { type: string | undefined; subject: string | undefined }) {
  const store = useSystemStore();
  const search = useQuery();
  const list = useMemo(
    () => createLogList({ ...(type && { type }), ...(subject && { subject }) }, store),
    [store, type, subject],
  );
  const state = useSyncExternalStore(list.subscribe, list.getState);
  const place = useRef<HTMLDivElement>(null);
  const { held, paused, setPaused, watch } = useHold(place);
  useEffect(() => list.start(), [list]);
  useEffect(() => list.hold(held), [list, held]);
  const isFiltered = type !== undefined || subject !== undefined;
  const found = useEffectEvent(() => {
    const { rows, hasOlder } = list.getState();
    store.announce(foundText(rows.length, hasOlder));
  });
  useEffect(() => {
    if (isFiltered && state.phase === 'ready') found();
  }, [isFiltered, state.phase]);

  return (
    <div className="entries" ref={place}>
      <div className="entries-head">
        <button type="button" aria-pressed={paused} onClick={() => setPaused(!paused)}>
          Pause
        </button>
        <Waiting list={list} state={state} onShow={() => place.current?.scrollIntoView?.({ block: 'start' })} />
      </div>
      {state.phase === 'failed' && (
        <p className="waits">The log cannot be read at the moment. The page keeps trying.</p>
      )}
      {state.phase === 'searching' && state.rows.length === 0 && (
        <p className="note">{type && !subject ? 'Searching the whole log for this type…' : 'Reading the log…'}</p>
      )}
      {state.phase === 'ready' && state.rows.length === 0 && (
        <p className="note">
          {isFiltered ? 'No event in the log matches. New ones are shown here.' : 'The log is empty.'}
        </p>
      )}
      {state.rows.length > 0 && (
        <div {...watch}>
          <LogTable rows={state.rows} search={search} />
        </div>
      )}
      {state.rows.length > 0 && state.hasOlder && <Older list={list} />}
    </div>
  );
}

function Waiting({ list, state, onShow }: { list: LogList; state: LogState; onShow: () => void }) {
  const { waitingCount, isExtended } = state;
  if (waitingCount === 0 && !isExtended) return null;
  function show() {
    list.showWaiting();
    onShow();
  }
  return (
    <button type="button" className="primary" onClick={show}>
      {waitingCount === 0
        ? 'Show the newest'
        : `${waitingCount.toLocaleString()} new ${waitingCount === 1 ? 'event' : 'events'}`}
    </button>
  );
}

function Older({ list }: { list: LogList }) {
  const row = useRef<HTMLDivElement>(null);
  const older = useAction(async () => {
    const before = list.getState().rows.length;
    await list.loadOlder();
    // The last page removes the button, so the focus moves to the first new row.
    requestAnimationFrame(() => {
      const links = row.current?.parentElement?.querySelectorAll<HTMLElement>('tbody tr > :first-child a');
      links?.[before]?.focus();
    });
  });
  return (
    <div className="more" ref={row}>
      <button type="button" onClick={older.run} aria-disabled={older.busy}>
        {older.busy ? 'Searching…' : 'Older events'}
      </button>
      {older.failed && (
        <p className="error" role="alert">
          They could not be loaded. Try again.
        </p>
      )}
    </div>
  );
}

function foundText(count: number, hasMore: boolean): string {
  if (count === 0) return 'No such event.';
  return `${hasMore ? 'More than ' : ''}${count === 1 ? '1 event' : `${count} events`} found.`;
}
