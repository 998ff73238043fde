import { byService, type Subscription } from '../bus.ts';
import { useSystem } from '../system-context.ts';
import { ServiceItem, SubscriptionItem } from './subscription-item.tsx';
import './subscriptions.css';

/** The list of subscriptions, with their lag and their controls. */
export function Subscriptions() {
  const subscriptions = useSystem((state) => state.subscriptions);
  const isAway = useSystem(({ bus }) => bus === 'away');
  const isReadOnly = useSystem(({ parts, control }) => parts.get('client')?.state === 'ready' && !control);
  return (
    <section aria-labelledby="subscriptions" data-stale={isAway}>
      <h3 id="subscriptions" tabIndex={-1}>
        Subscriptions
      </h3>
      {isAway ? (
        <p className="waits">
          {subscriptions.length > 0 && 'These are the last known values. '}Nothing can be done until the bus is back.
        </p>
      ) : isReadOnly ? (
        <p className="quiet">
          Read-only: the buttons are shown only if the client runs with <code>CONTROL=on</code>, as in{' '}
          <code>npm start</code> and <code>skaffold dev</code>. In production it is off.
        </p>
      ) : (
        <p className="quiet">
          Each subscription has its own position in the log. One that is stuck does not delay the others.
        </p>
      )}
      <ul className="items stack">
        {[...byService(subscriptions)].map(([service, copies]) => {
          const [first] = copies as [Subscription];
          return copies.length > 1 ? (
            <ServiceItem key={`${service} ×`} service={service} copies={copies} isStale={isAway} />
          ) : (
            <SubscriptionItem key={first.name} subscription={first} isStale={isAway} />
          );
        })}
      </ul>
    </section>
  );
}
