import { type ReactNode, useId, useLayoutEffect, useRef } from 'react';
import { countOf, type Subscription, slowestOf, worstState } from '../bus.ts';
import { ageText, eventsText, nameText, sentence } from '../format.tsx';
import { useSystem } from '../system-context.ts';
import { Sparkline } from './sparkline.tsx';
import { SubscriptionControls } from './subscription-controls.tsx';

const STATES = {
  ...{ starting: 'Starting', live: 'Live', retrying: 'Retrying', paused: 'Paused', diverged: 'Diverged', gone: 'Gone' },
};
const MARKS = { starting: '○', live: '●', retrying: '▲', paused: '❚❚', diverged: '✕', gone: '○' };

/** The bus's cap on Retry-After. */
const LONGEST_S = 60;

/** `heading`: the level, lower for a copy of a service that has several. */
type Props = { subscription: Subscription; isStale: boolean; heading?: 'h4' | 'h5' };

/** One subscription: its position, lag and state, and its buttons. */
export function SubscriptionItem({ subscription, isStale, heading: Heading = 'h4' }: Props) {
  const { name, service, kind, state, position, lag, lagSeconds, lastError } = subscription;
  const id = useId();
  const item = useRef<HTMLLIElement>(null);
  // One that is forgotten while it has the focus passes it on.
  useLayoutEffect(() => {
    const shown = item.current;
    return () => void (shown?.contains(document.activeElement) && document.getElementById('subscriptions')?.focus());
  }, []);
  const samples = useSystem(({ history }) => history.get(name));
  const details = detailsOf(subscription, isStale);
  return (
    <li className="subscription split card" data-state={state} aria-labelledby={id} ref={item}>
      <div>
        <div className="card-head">
          <Heading id={id}>{name}</Heading>
          <StateText state={state} />
        </div>
        <dl>
          <Figure name="Position">
            {position.toLocaleString()} of {(position + lag).toLocaleString()}
          </Figure>
          <LagFigure lag={lag} lagSeconds={lagSeconds} />
          <Figure name="Kind">{kind === 'unknown' ? 'not known yet' : kind}</Figure>
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
              <strong>What to do:</strong> {repairOf(service)}
            </p>
          </div>
        )}
      </div>
      <Sparkline samples={samples} />
      <SubscriptionControls subscription={subscription} />
    </li>
  );
}

/** A service with copies: the worst of their states, and the largest of their lags; each of them on demand. */
export function ServiceItem({
  service,
  copies,
  isStale,
}: {
  service: string;
  copies: Subscription[];
  isStale: boolean;
}) {
  const id = useId();
  const state = worstState(copies);
  const slowest = slowestOf(copies);
  const samples = useSystem(({ history }) => history.get(slowest?.name ?? ''));
  const stateOf = (copy: Subscription) => (copy.state === 'live' ? copy.name : `${copy.name} ${copy.state}`);
  return (
    <li className="subscription split card" data-state={state} aria-labelledby={id}>
      <div>
        <div className="card-head">
          <h4 id={id}>{nameText(service, countOf(copies))}</h4>
          <StateText state={state} />
        </div>
        <dl>
          <LagFigure lag={slowest?.lag ?? 0} lagSeconds={slowest?.lagSeconds ?? 0} />
        </dl>
      </div>
      <Sparkline samples={samples} />
      <details>
        <summary>Its copies: {copies.map(stateOf).join(', ')}</summary>
        <ul className="items stack">
          {copies.map((copy) => (
            <SubscriptionItem key={copy.name} subscription={copy} isStale={isStale} heading="h5" />
          ))}
        </ul>
      </details>
    </li>
  );
}

const StateText = ({ state }: Pick<Subscription, 'state'>) => (
  <p className="quiet">
    <span aria-hidden="true">{MARKS[state]}</span> <span className="subscription-state">{STATES[state]}</span>
  </p>
);

const LagFigure = ({ lag, lagSeconds }: Pick<Subscription, 'lag' | 'lagSeconds'>) => (
  <Figure name="Lag">
    {lag > 0 ? <strong>{`${eventsText(lag)}, ${ageText(lagSeconds)}`}</strong> : eventsText(lag)}
  </Figure>
);

const Figure = ({ name, children }: { name: string; children: ReactNode }) => (
  <div>
    <dt>{name}</dt>
    <dd className={name.toLowerCase()}>{children}</dd>
  </div>
);

/** Sentences that explain the state. */
function detailsOf({ state, lastError, nextAttempt, replay }: Subscription, isStale: boolean): string {
  const failure = `The last attempt failed: ${sentence(lastError ?? 'the bus does not say why')}`;
  const details = {
    starting: 'The bus is asking for its checkpoint.',
    paused: 'Nothing is delivered to it until it is resumed.',
    retrying: isStale ? failure : `${failure} ${nextText(nextAttempt)}`,
    live: '',
    diverged: '',
    gone: 'It is not found any more. The bus keeps its position, for the case that it comes back.',
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
function repairOf(service: string): ReactNode {
  switch (service) {
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
