import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useEffect, useId, useRef, useSyncExternalStore } from 'react';
import { Link } from 'wouter';
import { addressWith, useSearchParams } from '../../shared/addresses.ts';
import { noteOf, onNotes } from '../../shared/journey-notes.ts';
import { fieldsOf } from '../../shared/parse.ts';
import type { LogEntry, Subscription } from '../bus.ts';
import { durationText } from '../format.tsx';
import { readLogAfter } from '../requests.ts';
import { whyWaiting } from '../subscribers/why-waiting.ts';
import { useSystemState, useSystemStore } from '../system-context.ts';
import { journeyOf, mainEvents, type Reached, type Step, verdictOf } from './journey-of.ts';
import { JourneyStep } from './journey-step.tsx';
import { isEverywhere, pollEvery, readReached } from './reached.ts';
import { useArrivedAt } from './use-arrived-at.ts';
import './journey.css';

/** The number of events shown. A comment has three; foreign services may publish many more. */
const MOST = 50;
const NONE: ReadonlyMap<number, Reached> = new Map();

/**
 * A comment's journey from its `POST` to the verdict on the page: its steps, the time between them, and what is
 * missing.
 */
export function Journey({ comment }: { comment: string }) {
  const { entries, reached, failed } = useEvents(comment);
  const note = useSyncExternalStore(onNotes, () => noteOf(comment));
  const search = useSearchParams();
  const id = useId();
  const heading = useArrivedAt(comment);
  const steps = journeyOf(entries ?? [], reached, note);
  const isKnown = steps.some(({ state }) => state !== 'waiting');

  return (
    <section className="journey card" aria-labelledby={id}>
      <div className="card-head">
        <h3 id={id} ref={heading} tabIndex={-1}>
          Journey of a comment
        </h3>
        <Link href={addressWith(search, { comment: undefined })}>Close</Link>
      </div>
      <About comment={comment} created={steps.find(({ name }) => name === 'written')?.entry} />
      {failed && (
        <p className="waits">
          The event bus does not answer at the moment: this is the last known state. The page keeps trying.
        </p>
      )}
      {entries === undefined && !failed && <p className="note">Searching the log…</p>}
      {entries?.length === 0 && !isKnown && (
        <p>
          The log has no event about this comment, and this page did not send it. Once there is an event, it is shown
          here.
        </p>
      )}
      {isKnown && <Steps steps={steps} />}
      <Further entries={entries ?? []} />
    </section>
  );
}

type Known = { entries: readonly LogEntry[]; reached: ReadonlyMap<number, Reached> };

const isComplete = ({ entries, reached }: Known, subscriptions: readonly Subscription[]): boolean =>
  mainEvents(entries).length === 3 &&
  mainEvents(entries).every(({ position }) => isEverywhere(reached.get(position), subscriptions));

/** The comment's events and their deliveries: polled until the journey is complete, and read at once after a new event. */
function useEvents(comment: string) {
  const { getState, onEvents } = useSystemStore();
  const { subscriptions, begun, bus } = useSystemState();

  async function readEvents(before: Known | undefined): Promise<Known> {
    const { entries } = await readLogAfter({ subject: comment }, MOST, 0);
    const { subscriptions } = getState();
    const reached = new Map(before?.reached);
    for (const { position } of mainEvents(entries)) {
      if (!isEverywhere(reached.get(position), subscriptions))
        reached.set(position, await readReached(position, subscriptions));
    }
    return { entries, reached };
  }

  const { data, isError, refetch } = useQuery({
    // After a possible gap the log may be another one.
    queryKey: ['journey', comment, begun],
    queryFn: ({ client, queryKey }) => readEvents(client.getQueryData<Known>(queryKey)),
    enabled: begun > 0,
    placeholderData: keepPreviousData,
    refetchInterval: ({ state: { data } }) => pollEvery(data !== undefined && isComplete(data, subscriptions)),
  });
  useEffect(
    () =>
      onEvents((entries) => {
        if (entries.some(({ subject }) => subject === comment)) void refetch();
      }),
    [onEvents, comment, refetch],
  );
  return { entries: data?.entries, reached: data?.reached ?? NONE, failed: isError || bus === 'away' };
}

function About({ comment, created }: { comment: string; created: LogEntry | undefined }) {
  const search = useSearchParams();
  const { content } = fieldsOf(created?.data);
  const [, trace] = /^[0-9a-f]{2}-([0-9a-f]{32})-/.exec(created?.traceparent ?? '') ?? [];
  return (
    <div className="about">
      {typeof content === 'string' && (
        <p className="excerpt" dir="auto">
          {content}
        </p>
      )}
      <p>
        Comment <code>{comment}</code>{' '}
        <Link href={addressWith(search, { subject: comment, type: undefined })}>Its events in the log</Link>
      </p>
      {trace && (
        <p>
          Trace <code>{trace}</code>: look it up in the parts' log lines, or in the tracing backend if there is one.
        </p>
      )}
    </div>
  );
}

function Steps({ steps }: { steps: readonly Step[] }) {
  const system = useSystemState();
  const { announce } = useSystemStore();
  const start = steps.find(({ at }) => at !== undefined)?.at ?? 0;
  const whole = steps.reduce((sum, { gap = 0 }) => sum + gap, 0);
  const last = steps.at(-1);
  const isWaiting = last?.state === 'waiting';
  const waited = useRef(isWaiting);
  // Announces the end to screen readers.
  useEffect(() => {
    if (waited.current && !isWaiting) announce(`The comment has its verdict, after ${durationText(whole)}.`);
    waited.current = isWaiting;
  }, [announce, isWaiting, whole]);
  return (
    <>
      <ol className="steps">
        {steps.map((step, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: the steps of a journey never change places
          <JourneyStep key={index} step={step} start={start} whole={whole} />
        ))}
      </ol>
      {isWaiting ? (
        <p className="waits">{whyWaiting(last.name, steps, system)}</p>
      ) : (
        <p className="whole">{whole > 0 && `${durationText(whole)} in total.`}</p>
      )}
      {steps.some(({ early }) => early) && (
        <p className="note">
          “about 0”: its time is earlier than that of the step before it. Each part uses its own clock (clock skew), and
          a delivery is timed when its answer arrives, by when the next step may have started.
        </p>
      )}
      {steps.some(({ passed, name, at }) => passed.length > 0 || (name === 'readable' && at === undefined)) && (
        <p className="note">
          Time unknown: the bus remembers deliveries only in memory, for the newest 10,000 events since its last start.
          An event that was parked as a dead letter has none either.
        </p>
      )}
    </>
  );
}

/** The comment's other events, such as later verdicts, which do not count. */
function Further({ entries }: { entries: readonly LogEntry[] }) {
  const search = useSearchParams();
  const main = mainEvents(entries);
  const further = entries.filter((entry) => !main.includes(entry));
  if (further.length === 0) return null;
  return (
    <div>
      <h4>Its other events in the log</h4>
      <ul className="further">
        {further.map((entry) => (
          <li key={entry.position}>
            <Link href={addressWith(search, { event: String(entry.position) })}>{entry.position.toLocaleString()}</Link>{' '}
            {entry.type}
            {verdictOf(entry) && ` (${verdictOf(entry)})`} from {entry.source}
          </li>
        ))}
      </ul>
      {further.some(verdictOf) && <p className="note">The first verdict in the log stands.</p>}
    </div>
  );
}
