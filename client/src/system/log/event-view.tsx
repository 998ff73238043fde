import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useId, useState } from 'react';
import { Link } from 'wouter';
import { addressWith, useSearchParams } from '../addresses.ts';
import type { LogEntry } from '../bus.ts';
import { ClockTime, durationText, eventsText } from '../format.tsx';
import { isEverywhere, missingOf, pollEvery, type Reached, readReached, TIME_UNKNOWN } from '../journey/reached.ts';
import { useArrivedAt } from '../journey/use-arrived-at.ts';
import { readLog } from '../requests.ts';
import { useSystemState, useSystemStore } from '../system-context.ts';
import { TraceLogs, traceOf } from '../trace-logs.tsx';

type Known = { entry: LogEntry | undefined; reached: Reached | undefined };

/** One event in full: its position, times and deliveries. `position` is unparsed, as in the address. */
export function EventView({ position: text }: { position: string }) {
  const position = /^[1-9]\d{0,14}$/.test(text) ? Number(text) : undefined;
  const search = useSearchParams();
  const id = useId();
  const heading = useArrivedAt();
  return (
    <section className="event card stack" aria-labelledby={id}>
      <div className="card-head">
        <h4 id={id} ref={heading} tabIndex={-1}>
          {`Event ${position?.toLocaleString() ?? text}`}
        </h4>
        <Link href={addressWith(search, { event: undefined })}>Close</Link>
      </div>
      {position ? <Event position={position} /> : <p className="error">A position is a whole number from 1 on.</p>}
    </section>
  );
}

function Event({ position }: { position: number }) {
  const { getState } = useSystemStore();
  const { subscriptions, head, begun } = useSystemState();
  const search = useSearchParams();
  const addressOf = (event: number) => addressWith(search, { event: String(event) });
  const { data, isError } = useQuery({
    // After a possible gap the log may be another one.
    queryKey: ['event', position, begun],
    async queryFn({ client, queryKey }): Promise<Known> {
      const entry =
        client.getQueryData<Known>(queryKey)?.entry ?? (await readLog({ after: position - 1, limit: 1 })).entries[0];
      return { entry, reached: entry && (await readReached(position, getState().subscriptions)) };
    },
    placeholderData: keepPreviousData,
    refetchInterval: ({ state }) => pollEvery(isEverywhere(state.data?.reached, subscriptions)),
  });
  const { entry, reached } = data ?? {};
  const newest = head > 0 ? `: the newest is at ${head.toLocaleString()}` : '';
  return (
    <>
      {isError && <p className="waits">The event bus does not answer at the moment. The page keeps trying.</p>}
      {!data && !isError && <p className="note">Reading it…</p>}
      {data && !entry && <p>{`There is no event at this position yet${newest}. Once it exists, it is shown here.`}</p>}
      <p>
        {position > 1 && <Link href={addressOf(Math.min(position - 1, head))}>Previous</Link>}{' '}
        {position < head && <Link href={addressOf(position + 1)}>Next</Link>}{' '}
        {entry?.subject !== undefined && /^Comment/.test(entry.type) && (
          <Link href={addressWith(search, { comment: entry.subject })}>The journey of its comment</Link>
        )}{' '}
        <TraceLogs trace={traceOf(entry?.traceparent)} />
      </p>
      {entry && (
        <p>
          {entry.type} from {entry.source}, created <ClockTime value={entry.time} />, recorded{' '}
          {entry.recordedtime ? <ClockTime value={entry.recordedtime} /> : 'before the bus recorded times'}
        </p>
      )}
      {entry && reached && <Deliveries reached={reached} since={Date.parse(entry.recordedtime ?? '')} />}
      {entry && <Json key={position} text={JSON.stringify({ ...entry, position: undefined }, null, 2)} />}
    </>
  );
}

function Json({ text }: { text: string }) {
  const [label, setLabel] = useState('Copy');
  const copy = () =>
    navigator.clipboard.writeText(text).then(
      () => setLabel('Copied'),
      () => setLabel('Not allowed by the browser'),
    );
  return (
    <div>
      <div className="card-head">
        <h5>In full</h5>
        {/* The clipboard exists only in secure origins and on localhost. */}
        {navigator.clipboard && (
          <button type="button" aria-live="polite" onClick={copy}>
            {label}
          </button>
        )}
      </div>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a long event scrolls, also by the keyboard (WCAG 2.1.1) */}
      <pre tabIndex={0}>{text}</pre>
    </div>
  );
}

/** `since`: the time at which the event was recorded, in milliseconds since 1970. */
function Deliveries({ reached, since }: { reached: Reached; since: number }) {
  const { subscriptions } = useSystemState();
  return (
    <div>
      <h5>Deliveries</h5>
      <ul>
        {reached.arrivals.map(({ subscription, deliveredAt, attempts }) => (
          <li key={subscription}>
            <strong>{subscription}</strong> at <ClockTime value={deliveredAt} />
            <span>{howLate(Date.parse(deliveredAt) - since, attempts)}</span>
          </li>
        ))}
        {reached.passed.map((name) => (
          <li key={name}>
            <strong>{name}</strong> is past it
          </li>
        ))}
        {missingOf(reached, subscriptions).map(({ name, lag, state }) => (
          <li key={name} className="waits">
            <strong>{name}</strong> <span>{`not yet: its subscription is ${state}, its lag ${eventsText(lag)}`}</span>
          </li>
        ))}
      </ul>
      {reached.passed.length > 0 && <p className="note">{TIME_UNKNOWN}</p>}
    </div>
  );
}

const howLate = (ms: number, attempts: number): string =>
  (Number.isNaN(ms) ? '' : `, ${durationText(Math.max(0, ms))} after it was recorded`) +
  (attempts > 1 ? `, at attempt ${attempts}` : '');
