import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { memo, useId, useState } from 'react';
import { Link } from 'wouter';
import { addressWith, useSearchParams } from '../../shared/addresses.ts';
import type { LogEntry } from '../bus.ts';
import { ClockTime, durationText } from '../format.tsx';
import { isEverywhere, missingOf, pollEvery, readReached } from '../journey/reached.ts';
import { useArrivedAt } from '../journey/use-arrived-at.ts';
import { REMEMBERED, readEvent } from '../requests.ts';
import { useSystem, useSystemState, useSystemStore } from '../system-context.ts';

const AWAY = <p className="waits">The event bus does not answer at the moment. The page keeps trying.</p>;

/** One event in full: its position, times and deliveries. `position` is unparsed, as in the address. */
export function EventView({ position: text }: { position: string }) {
  const position = /^[1-9]\d{0,14}$/.test(text) ? Number(text) : undefined;
  const search = useSearchParams();
  const id = useId();
  const heading = useArrivedAt(text);
  return (
    <section className="event" aria-labelledby={id}>
      <div className="card-head">
        <h4 id={id} ref={heading} tabIndex={-1}>
          {`Event ${position?.toLocaleString() ?? text}`}
        </h4>
        <Link href={addressWith(search, { event: undefined })}>Close</Link>
      </div>
      {position === undefined ? (
        <p className="error">A position is a whole number from 1 on.</p>
      ) : (
        <Event position={position} />
      )}
    </section>
  );
}

function Event({ position }: { position: number }) {
  const head = useSystem((state) => state.head);
  /** After a possible gap it is read again: the log may be another one. */
  const begun = useSystem((state) => state.begun);
  const { data: entry, isError } = useQuery({
    queryKey: ['event', position, begun],
    queryFn: async () => (await readEvent(position)) ?? null,
    placeholderData: keepPreviousData,
    refetchInterval: ({ state }) => (state.data ? false : pollEvery(false)),
  });
  const newest = head > 0 ? `: the newest is at ${head.toLocaleString()}` : '';
  return (
    <>
      {isError && AWAY}
      {entry === undefined && !isError && <p className="note">Reading it…</p>}
      {entry === null && <p>{`There is no event at this position yet${newest}. Once it exists, it is shown here.`}</p>}
      <Neighbours position={position} head={Math.max(head, entry?.position ?? 0)} />
      {entry && (
        <>
          <Facts entry={entry} />
          <Deliveries entry={entry} />
          <Json entry={entry} />
        </>
      )}
    </>
  );
}

function Neighbours({ position, head }: { position: number; head: number }) {
  const search = useSearchParams();
  const to = (event: number) => addressWith(search, { event: String(event) });
  return (
    <p className="neighbours">
      {position > 1 && <Link href={to(Math.min(position - 1, head))}>Previous</Link>}
      {position < head && <Link href={to(position + 1)}>Next</Link>}
    </p>
  );
}

function Facts({ entry: { type, subject, source, time, recordedtime } }: { entry: LogEntry }) {
  const search = useSearchParams();
  return (
    <dl className="facts">
      <dt>Type</dt>
      <dd>{type}</dd>
      <dt>Created</dt>
      <dd>
        by {source}, <ClockTime value={time} />
      </dd>
      <dt>Recorded</dt>
      <dd>{recordedtime ? <ClockTime value={recordedtime} /> : 'before the bus recorded times'}</dd>
      {/^Comment/.test(type) && subject !== undefined && (
        <>
          <dt>About</dt>
          <dd>
            <Link href={addressWith(search, { comment: subject })}>the journey of its comment</Link>
          </dd>
        </>
      )}
    </dl>
  );
}

function Deliveries({ entry: { position, recordedtime } }: { entry: LogEntry }) {
  const { getState } = useSystemStore();
  const { subscriptions, head, begun } = useSystemState();
  const { data: reached, isError } = useQuery({
    queryKey: ['reached', position, begun],
    queryFn: () => readReached(position, getState().subscriptions),
    refetchInterval: ({ state: { data } }) => pollEvery(isEverywhere(data, subscriptions)),
  });
  if (!reached) return isError ? AWAY : null;
  const { arrivals, passed } = reached;
  const recorded = Date.parse(recordedtime ?? '');
  return (
    <>
      {isError && AWAY}
      <h5>Deliveries</h5>
      <ul className="receivers">
        {arrivals.map(({ subscription, deliveredAt, attempts }) => (
          <li key={subscription}>
            <strong>{subscription}</strong> at <ClockTime value={deliveredAt} />
            <span>{howLate(Date.parse(deliveredAt) - recorded, attempts)}</span>
          </li>
        ))}
        {passed.map((name) => (
          <li key={name}>
            <strong>{name}</strong> is past it
          </li>
        ))}
        {missingOf(reached, subscriptions).map(({ name, lag, state }) => (
          <li key={name} data-state="missing">
            <strong>{name}</strong>{' '}
            <span>{`not yet: its subscription is ${state}, its lag ${lag.toLocaleString()}`}</span>
          </li>
        ))}
      </ul>
      {passed.length > 0 && (
        <p className="note">
          {head - position >= REMEMBERED
            ? 'Time unknown: the bus remembers the deliveries of the newest 10,000 events, and this one is older.'
            : 'Time unknown: the bus remembers deliveries since its last start. An event that was parked as a dead letter has none.'}
        </p>
      )}
    </>
  );
}

const howLate = (ms: number, attempts: number): string =>
  (Number.isNaN(ms) ? '' : `, ${durationText(Math.max(0, ms))} after it was recorded`) +
  (attempts > 1 ? `, at attempt ${attempts}` : '');

const Json = memo(function Json({ entry }: { entry: LogEntry }) {
  const { announce } = useSystemStore();
  const [copied, setCopied] = useState<string>();
  const { position, ...event } = entry;
  const text = JSON.stringify(event, null, 2);

  async function copy() {
    const isDone = await navigator.clipboard.writeText(text).then(
      () => true,
      () => false,
    );
    setCopied(isDone ? text : undefined);
    announce(isDone ? 'Copied.' : 'It could not be copied.');
  }

  return (
    <div className="json">
      {/* The clipboard exists only in secure origins and on localhost. */}
      {navigator.clipboard && (
        <button type="button" onClick={copy}>
          {copied === text ? 'Copied' : 'Copy'}
        </button>
      )}
      <pre>{text}</pre>
    </div>
  );
});
