import { useId } from 'react';
import { Link } from 'wouter';
import { addressWith, useQuery } from '../../shared/addresses.ts';
import type { LogEntry } from '../bus.ts';
import { ClockTime, durationText } from '../format.tsx';
import type { Reached } from '../journey/journey-of.ts';
import { useArrivedAt } from '../journey/use-arrived-at.ts';
import { REMEMBERED } from '../requests.ts';
import { useSystemState } from '../system-context.ts';
import { CopyButton } from './copy-button.tsx';
import { useEvent } from './use-event.ts';
import './event.css';

/** One event in full: its position, times and deliveries. `position` is unparsed, as in the address. */
export function EventView({ position: text }: { position: string }) {
  const position = /^[1-9]\d{0,14}$/.test(text) ? Number(text) : undefined;
  const search = useQuery();
  const id = useId();
  const heading = useArrivedAt(text);
  return (
    <section className="event" aria-labelledby={id}>
      <div className="card-head">
        <h4 id={id} ref={heading} tabIndex={-1}>
          Event {position?.toLocaleString() ?? text}
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
  const { entry, reached, failed } = useEvent(position);
  const { head } = useSystemState();
  return (
    <>
      {failed && <p className="waits">The event bus does not answer at the moment. The page keeps trying.</p>}
      {entry === undefined && !failed && <p className="note">Reading it…</p>}
      {entry === null && (
        <p>
          There is no event at this position yet{head > 0 && `: the newest is at ${head.toLocaleString()}`}. Once it
          exists, it is shown here.
        </p>
      )}
      <Neighbours position={position} head={Math.max(head, entry?.position ?? 0)} />
      {entry && (
        <>
          <Facts entry={entry} />
          <Receivers position={position} reached={reached} head={head} recorded={entry.recordedtime} />
          <Json entry={entry} />
        </>
      )}
    </>
  );
}

function Neighbours({ position, head }: { position: number; head: number }) {
  const search = useQuery();
  const to = (event: number) => addressWith(search, { event: String(event) });
  return (
    <p className="neighbours">
      {position > 1 && <Link href={to(Math.min(position - 1, head))}>Previous</Link>}
      {position < head && <Link href={to(position + 1)}>Next</Link>}
    </p>
  );
}

function Facts({ entry }: { entry: LogEntry }) {
  const search = useQuery();
  const { type, subject, source, time, recordedtime } = entry;
  const isOfComment = /^Comment/.test(type) && subject !== undefined;
  return (
    <dl className="facts">
      <dt>Type</dt>
      <dd>{type}</dd>
      <dt>Made by</dt>
      <dd>
        {source}, <ClockTime value={time} />
      </dd>
      <dt>Recorded</dt>
      <dd>{recordedtime ? <ClockTime value={recordedtime} /> : 'before the bus recorded times'}</dd>
      {isOfComment && (
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

type ReceiversProps = { position: number; reached: Reached | undefined; head: number; recorded: string | undefined };

function Receivers({ position, reached, head, recorded }: ReceiversProps) {
  const { subscriptions } = useSystemState();
  if (!reached) return null;
  const { arrivals, passed } = reached;
  const got = new Set([...arrivals.map(({ subscription }) => subscription), ...passed]);
  const missing = subscriptions.filter(({ name }) => !got.has(name));
  const since = Date.parse(recorded ?? '');
  return (
    <>
      <h5>Deliveries</h5>
      <ul className="receivers">
        {arrivals.map(({ subscription, deliveredAt, attempts }) => (
          <li key={subscription}>
            <strong>{subscription}</strong> since <ClockTime value={deliveredAt} />
            {!Number.isNaN(since) &&
              `, ${durationText(Math.max(0, Date.parse(deliveredAt) - since))} after it was recorded`}
            {attempts > 1 && `, at attempt ${attempts}`}
          </li>
        ))}
        {passed.map((name) => (
          <li key={name}>
            <strong>{name}</strong> is past it
          </li>
        ))}
        {missing.map(({ name, lag, state }) => (
          <li key={name} data-state="missing">
            <strong>{name}</strong> not yet: it is {state}, its lag {lag.toLocaleString()}
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

function Json({ entry }: { entry: LogEntry }) {
  const { position, ...event } = entry;
  const text = JSON.stringify(event, null, 2);
  return (
    <div className="json">
      <CopyButton text={text} />
      <pre>{text}</pre>
    </div>
  );
}
