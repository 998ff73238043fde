import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useEffect, useId, useRef, useSyncExternalStore } from 'react';
import { Link } from 'wouter';
import { announce } from '../../shared/announce.ts';
import { noteOf, onNotes } from '../../shared/journey-notes.ts';
import { fieldsOf, textOf } from '../../shared/parse.ts';
import { addressWith, useSearchParams } from '../addresses.ts';
import type { LogEntry } from '../bus.ts';
import { durationText, eventsText } from '../format.tsx';
import { readLog } from '../requests.ts';
import { whyWaiting } from '../subscribers/why-waiting.ts';
import { useSystemState, useSystemStore } from '../system-context.ts';
import { TraceLogs, traceOf } from '../trace-logs.tsx';
import { journeyOf, mainEvents, type Step } from './journey-of.ts';
import { JourneyStep } from './journey-step.tsx';
import { isEverywhere, pollEvery, type Reached, readReached, TIME_UNKNOWN } from './reached.ts';
import { useArrivedAt } from './use-arrived-at.ts';
import './journey.css';

/** The number of events shown. A comment has three; foreign services may publish many more. */
const MOST = 50;

type Known = { entries: readonly LogEntry[]; reached: ReadonlyMap<number, Reached> };
const NONE: Known = { entries: [], reached: new Map() };

/** A comment's journey from its `POST` to the verdict on the page: its steps, and the time between them. */
export function Journey({ comment }: { comment: string }) {
  const { data, isError } = useEvents(comment);
  const note = useSyncExternalStore(onNotes, () => noteOf(comment));
  const search = useSearchParams();
  const id = useId();
  const heading = useArrivedAt();
  const { entries, reached } = data ?? NONE;
  const steps = journeyOf(entries, reached, note);
  const isKnown = steps.some(({ state }) => state !== 'waiting');
  const created = steps.find(({ name }) => name === 'written')?.entry;
  const content = textOf(fieldsOf(created?.data).content);
  const trace = traceOf(created?.traceparent);
  /** Such as later verdicts, which do not count. */
  const further = entries.length - mainEvents(entries).length;

  return (
    <section className="journey card stack" aria-labelledby={id}>
      <div className="card-head">
        <h3 id={id} ref={heading} tabIndex={-1}>
          Journey of a comment
        </h3>
        <Link href={addressWith(search, { comment: undefined })}>Close</Link>
      </div>
      {content !== undefined && (
        <p className="text excerpt" dir="auto">
          {content}
        </p>
      )}
      <p className="quiet">
        Comment <code>{comment}</code>{' '}
        <Link href={addressWith(search, { subject: comment, type: undefined })}>Its events in the log</Link>
      </p>
      {trace && (
        <p className="quiet">
          Trace <code>{trace}</code>: look it up in the parts' log lines, or in the tracing backend if there is one.{' '}
          <TraceLogs trace={trace} />
        </p>
      )}
      {isError && <p className="waits">The event bus does not answer at the moment. The page keeps trying.</p>}
      {!data && !isError && <p className="note">Searching the log…</p>}
      {data && entries.length === 0 && !isKnown && (
        <p>The log has no event about this comment yet, and this page did not send it.</p>
      )}
      {isKnown && <Steps steps={steps} />}
      {further > 0 && (
        <p className="note">{`The log has ${eventsText(further)} more about it. The first verdict in the log stands.`}</p>
      )}
    </section>
  );
}

/** The comment's events and their deliveries: polled until all are known, and read at once after a new event. */
function useEvents(comment: string) {
  const { getState, onEvents } = useSystemStore();
  const { subscriptions, begun } = useSystemState();

  async function readEvents(known: Known = NONE): Promise<Known> {
    const { entries } = await readLog({ subject: comment, after: 0, limit: MOST });
    const { subscriptions } = getState();
    const reached = new Map(known.reached);
    for (const { position } of mainEvents(entries)) {
      if (isEverywhere(reached.get(position), subscriptions)) continue;
      reached.set(position, await readReached(position, subscriptions));
    }
    return { entries, reached };
  }

  const query = useQuery({
    // After a possible gap the log may be another one.
    queryKey: ['journey', comment, begun],
    queryFn: ({ client, queryKey }) => readEvents(client.getQueryData(queryKey)),
    placeholderData: keepPreviousData,
    refetchInterval({ state: { data = NONE } }) {
      const main = mainEvents(data.entries).map(({ position }) => data.reached.get(position));
      return pollEvery(main.length === 3 && main.every((reached) => isEverywhere(reached, subscriptions)));
    },
  });
  const { refetch } = query;
  useEffect(() => {
    const isAbout = ({ subject }: LogEntry) => subject === comment;
    return onEvents((entries) => void (entries.some(isAbout) && refetch()));
  }, [onEvents, comment, refetch]);
  return query;
}

function Steps({ steps }: { steps: readonly Step[] }) {
  const system = useSystemState();
  const start = steps.find(({ at }) => at !== undefined)?.at ?? 0;
  const whole = steps.reduce((sum, { gap = 0 }) => sum + gap, 0);
  const last = steps.at(-1);
  const isWaiting = last?.state === 'waiting';
  const waited = useRef(isWaiting);
  // Announces the end to screen readers.
  useEffect(() => {
    if (waited.current && !isWaiting) announce(`The comment has its verdict, after ${durationText(whole)}.`);
    waited.current = isWaiting;
  }, [isWaiting, whole]);
  return (
    <>
      <ol>
        {steps.map((step, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: the steps of a journey never change places
          <JourneyStep key={index} step={step} start={start} whole={whole} />
        ))}
      </ol>
      {isWaiting && <p className="waits">{whyWaiting(last.name, steps, system)}</p>}
      {!isWaiting && whole > 0 && <strong>{`${durationText(whole)} in total.`}</strong>}
      {steps.some(({ early }) => early) && (
        <p className="note">
          “about 0”: its time is earlier than that of the step before it. Each part uses its own clock (clock skew), and
          a delivery is timed when its answer arrives, by when the next step may have started.
        </p>
      )}
      {steps.some(({ passed, name, at }) => passed.length > 0 || (name === 'readable' && at === undefined)) && (
        <p className="note">{TIME_UNKNOWN}</p>
      )}
    </>
  );
}
