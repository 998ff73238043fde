import { useEffect } from 'react';
import { useLocation } from '../shared/navigation.tsx';
import { DeadLetters } from './dead-letters/dead-letters.tsx';
import { Diagram } from './diagram/diagram.tsx';
import { Journey } from './journey/journey.tsx';
import { LogView } from './log/log-view.tsx';
import { perSecond } from './subscribers/figures.ts';
import { Subscriptions } from './subscribers/subscriptions.tsx';
import { useSystemState, useSystemStore } from './system-context.ts';
import './system.css';

/** The System page: how the parts work, how events travel, what waits. Live while it is visible. */
export function System() {
  const store = useSystemStore();
  useEffect(() => {
    store.start();
    return store.stop;
  }, [store]);
  const comment = useLocation().search.get('comment');
  const isClassic = useSystemState().bus === 'classic';
  return (
    <section className="system" aria-labelledby="system">
      <div className="system-head">
        <h2 id="system" tabIndex={-1}>
          System
        </h2>
        <Bus />
      </div>
      <Diagram />
      {!isClassic && (
        <>
          {comment && <Journey key={comment} comment={comment} />}
          <Subscriptions />
          <DeadLetters />
          <LogView />
        </>
      )}
    </section>
  );
}

/** Tells if the page is showing the current state. */
function Bus() {
  const { bus, rate, head } = useSystemState();
  if (bus === 'connecting') return <p className="system-bus">Asking the event bus…</p>;
  if (bus === 'classic') {
    return (
      <p className="system-bus">
        This event bus is a foreign one: like the classic one, it has no positions or subscriptions to show, so only the
        parts are shown.
      </p>
    );
  }
  if (bus === 'away') {
    return (
      <p className="system-bus" data-state="away">
        The event bus does not answer: this is the last known state. The page keeps trying.
      </p>
    );
  }
  return (
    <p className="system-bus">
      {head.toLocaleString()} events in the log, {perSecond(rate)}
    </p>
  );
}
