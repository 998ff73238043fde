import { type ReactNode, useId } from 'react';
import type { Subscription } from '../bus.ts';
import { ageText, eventsText, sentence } from '../format.tsx';
import { useSystem } from '../system-context.ts';
import { Sparkline } from './sparkline.tsx';
import { SubscriptionControls } from './subscription-controls.tsx';

const STATES = { starting: 'Starting', live: 'Live', retrying: 'Retrying', paused: 'Paused', diverged: 'Diverged' };
const MARKS = { starting: '○', live: '●', retrying: '▲', paused: '❚❚', diverged: '✕' };

/** The bus's cap on Retry-After. */
const LONGEST_S = 60;

/** One subscription: its position, lag and state, and its buttons. */
export function SubscriptionItem({ subscription, isStale }: { subscription: Subscription; isStale: boolean }) {
  const { name, kind, state, position, lag, lagSeconds, lastError } = subscription;
  const id = useId();
  const samples = useSystem(({ history }) => history.get(name));
  const details = detailsOf(subscription, isStale);
  return (
    <li className="subscription split card" data-state={state} aria-labelledby={id}>
      <div>
        <div className="card-head">
          <h4 id={id}>{name}</h4>
          <p className="quiet">
            <span aria-hidden="true">{MARKS[state]}</span> <span className="subscription-state">{STATES[state]}</span>
          </p>
        </div>
        <dl>
          <div>
            <dt>Position</dt>
            <dd>
              {position.toLocaleString()} of {(position + lag).toLocaleString()}
            </dd>
          </div>
          <div>
            <dt>Lag</dt>
            <dd className="lag">
              {lag > 0 ? <strong>{`${eventsText(lag)}, ${ageText(lagSeconds)}`}</strong> : eventsText(lag)}
            </dd>
          </div>
          <div>
            <dt>Kind</dt>
            <dd>{kind === 'unknown' ? 'not known yet' : kind}</dd>
          </div>
        </dl>
        {details && <p className="subscription-details">{details}</p>}
        {state === 'diverged' && (
          <div className="divergence">
            <p>
              <strong>Its history differs from the log's:</strong> {lastError ?? 'they know different events'}. One of
              the two was lost, or restored from an older backup. Nothing is delivered to it, so that no event is lost
              unnoticed.
            </p>
            <p>
              <strong>What to do:</strong> {repairOf(name)}
            </p>
          </div>
        )}
      </div>
      <Sparkline samples={samples} />
      <SubscriptionControls subscription={subscription} />
    </li>
  );
}

/** Sentences that explain the state. */
function detailsOf({ state, lastError, nextAttempt, replay }: Subscription, isStale: boolean): string {
  const failure = `The last attempt failed: ${sentence(lastError ?? 'the bus does not say why')}`;
  const details = {
    starting: 'The bus is asking for its checkpoint.',
    paused: 'Nothing is delivered to it until it is resumed.',
    retrying: isStale ? failure : `${failure} ${nextText(nextAttempt)}`,
    live: '',
    diverged: '',
  }[state];
  return replay
    ? `${details} Replaying from position ${replay.from.toLocaleString()}, once it can be reached.`.trim()
    : details;
}

function nextText(nextAttempt: string | null): string {
  const seconds = Math.ceil((Date.parse(nextAttempt ?? '') - Date.now()) / 1_000);
  // A longer wait than the bus's cap means that its clock and this browser's differ.
  if (seconds > LONGEST_S) return 'The bus keeps trying.';
  return seconds > 0 ? `Next attempt in ${seconds} s.` : 'Retrying now.';
}

/** The way to repair a diverged subscription: of all data but their own, services have only copies. */
function repairOf(name: string): ReactNode {
  switch (name) {
    case 'posts':
    case 'comments':
    case 'moderation':
      return 'replay it. It keeps its data, and publishes again what the log has lost. Never delete its database: it may have the only copy of some data.';
    case 'query':
      return (
        <>
          first replay posts, comments and moderation if they are diverged, too. Then stop query, delete its database (
          <code>query.db*</code>) and start it: it is rebuilt from the log.
        </>
      );
    default:
      return 'if it has data of its own, replay it; if all of its data comes from the log, stop it, delete its database and start it.';
  }
}
