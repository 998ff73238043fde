import { useId } from 'react';
import type { Subscription } from '../bus.ts';
import { Divergence } from './divergence.tsx';
import type { Sample } from './history.ts';
import { Sparkline } from './sparkline.tsx';
import { SubscriptionControls } from './subscription-controls.tsx';

const STATES = { starting: 'Starting', live: 'Live', retrying: 'Retrying', paused: 'Paused', diverged: 'Diverged' };

/** The bus's cap on Retry-After. */
const LONGEST_S = 60;

type Props = { subscription: Subscription; samples: readonly Sample[]; control: boolean; away: boolean };

/** One subscription: its position, lag and state, and its buttons. */
export function SubscriptionItem({ subscription, samples, control, away }: Props) {
  const { name, kind, state, position, lag, lagSeconds } = subscription;
  const id = useId();
  const details = detailsOf(subscription, away);
  return (
    <li className="subscription" data-state={state} data-behind={lag > 0} aria-labelledby={id}>
      <div className="subscription-head">
        <h4 id={id}>{name}</h4>
        <p className="subscription-state">{STATES[state]}</p>
      </div>
      <Sparkline samples={samples} />
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
            {lag === 1 ? '1 event' : `${lag.toLocaleString()} events`}
            {lag > 0 && `, ${durationText(lagSeconds)}`}
          </dd>
        </div>
        <div>
          <dt>Kind</dt>
          <dd>{kind === 'unknown' ? 'not known yet' : kind}</dd>
        </div>
      </dl>
      {details.length > 0 && <p className="subscription-details">{details.join(' ')}</p>}
      {state === 'diverged' && <Divergence subscription={subscription} />}
      {control && <SubscriptionControls subscription={subscription} away={away} />}
    </li>
  );
}

/** Sentences that explain the state. */
function detailsOf({ state, lastError, nextAttempt, replay }: Subscription, away: boolean): string[] {
  const ordered = replay ? [`Replaying from position ${replay.from.toLocaleString()}, once it can be reached.`] : [];
  switch (state) {
    case 'starting':
      return ['The bus is asking for its checkpoint.', ...ordered];
    case 'paused':
      return ['Nothing is delivered to it until it is resumed.', ...ordered];
    case 'retrying':
      return [
        `The last attempt failed: ${(lastError ?? 'unknown').replace(/\.$/, '')}.`,
        ...(away ? [] : [nextText(nextAttempt)]),
        ...ordered,
      ];
    default:
      return ordered;
  }
}

function nextText(nextAttempt: string | null): string {
  const seconds = Math.ceil((Date.parse(nextAttempt ?? '') - Date.now()) / 1_000);
  // A longer wait than the bus's cap means that its clock and this browser's differ.
  if (seconds > LONGEST_S) return 'The bus keeps trying.';
  return seconds > 0 ? `Next attempt in ${seconds} s.` : 'Retrying now.';
}

function durationText(seconds: number): string {
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7_200) return `${Math.floor(seconds / 60)} min`;
  return `${Math.floor(seconds / 3_600).toLocaleString()} h`;
}
