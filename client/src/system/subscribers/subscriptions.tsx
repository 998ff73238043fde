import type { ReactNode } from 'react';
import { useSystemState } from '../system-context.ts';
import { SubscriptionItem } from './subscription-item.tsx';
import './subscriptions.css';

/** The list of subscriptions, with their lag and their controls. */
export function Subscriptions() {
  const { subscriptions, history, bus, control } = useSystemState();
  return (
    <section aria-labelledby="subscriptions" data-stale={bus === 'away'}>
      <h3 id="subscriptions">Subscriptions</h3>
      <Note />
      <ul className="items">
        {subscriptions.map((subscription) => (
          <SubscriptionItem
            key={subscription.name}
            subscription={subscription}
            samples={history.get(subscription.name) ?? []}
            control={control}
            away={bus === 'away'}
          />
        ))}
      </ul>
    </section>
  );
}

/** Explains the list, or the reason why it cannot be controlled. */
function Note() {
  const { subscriptions, bus, parts, control } = useSystemState();
  const note = (text: ReactNode) => (
    <p className={bus === 'away' ? 'waits' : 'quiet'} id="subscriptions-note">
      {text}
    </p>
  );
  if (bus === 'away') {
    const known = subscriptions.length > 0;
    return note(`${known ? 'These are the last known values. ' : ''}Nothing can be done until the bus is back.`);
  }
  if (parts.get('client')?.state === 'ready' && !control) {
    return note(
      <>
        Read-only: the buttons are shown only if the client runs with <code>CONTROL=on</code>, as in{' '}
        <code>npm start</code> and <code>skaffold dev</code>, and is opened at <code>localhost</code> or an IP address.
        In production it is off.
      </>,
    );
  }
  return note('Each subscription has its own position in the log. One that is stuck does not delay the others.');
}
