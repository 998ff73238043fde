import { useEffect, useId, useRef } from 'react';
import { Link } from 'wouter';
import { addressWith, useQuery } from '../../shared/addresses.ts';
import { durationText } from '../format.tsx';
import { whyWaiting } from '../subscribers/why-waiting.ts';
import { useSystemState, useSystemStore } from '../system-context.ts';
import { journeyOf, mainEvents, type Step, verdictOf } from './journey-of.ts';
import { JourneyStep } from './journey-step.tsx';
import { useArrivedAt } from './use-arrived-at.ts';
import { useJourney } from './use-journey.ts';
import './journey.css';

/**
 * A comment's journey from its `POST` to the verdict on the page: its steps, the time between them, and what is
 * missing.
 */
export function Journey({ comment }: { comment: string }) {
  const { entries, reached, failed, note } = useJourney(comment);
  const search = useQuery();
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
        <Link href={addressWith(search, { comment: undefined })} className="quiet-link">
          Close
        </Link>
      </div>
      <About comment={comment} steps={steps} />
      {failed && (
        <p className="waits">
          The event bus does not answer at the moment: this is the last known state. The page keeps trying.
        </p>
      )}
      {entries === undefined && !failed && <p className="note">Searching the log…</p>}
      {entries?.length === 0 && !isKnown && <Unknown comment={comment} />}
      {isKnown && <Steps steps={steps} />}
      <Further entries={entries ?? []} />
    </section>
  );
}

function About({ comment, steps }: { comment: string; steps: readonly Step[] }) {
  const search = useQuery();
  const created = steps.find(({ name }) => name === 'written')?.entry;
  const { content } = (created?.data ?? {}) as { content?: unknown };
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
  const isEarly = steps.some(({ early }) => early);
  const isForgotten = steps.some(
    ({ passed, name, at }) => passed.length > 0 || (name === 'readable' && at === undefined),
  );
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
      {isEarly && (
        <p className="note">
          “about 0”: its time is earlier than that of the step before it. Each part uses its own clock (clock skew), and
          a delivery is timed when its answer arrives, by when the next step may have started.
        </p>
      )}
      {isForgotten && (
        <p className="note">
          Time unknown: the bus remembers deliveries only in memory, for the newest 10,000 events since its last start.
          An event that was parked as a dead letter has none either.
        </p>
      )}
    </>
  );
}

function Unknown({ comment }: { comment: string }) {
  return (
    <p>
      The log has no event about a comment <code>{comment}</code>, and this page did not send one. Once there is an
      event, it is shown here.
    </p>
  );
}

/** The comment's other events, such as later verdicts, which do not count. */
function Further({ entries }: { entries: ReturnType<typeof useJourney>['entries'] & object }) {
  const search = useQuery();
  const main = Object.values(mainEvents(entries));
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
