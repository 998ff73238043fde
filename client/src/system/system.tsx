import { notifyManager, QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { useSearchParams } from './addresses.ts';
import { DeadLetters } from './dead-letters/dead-letters.tsx';
import { Diagram } from './diagram/diagram.tsx';
import { perSecond } from './format.tsx';
import { Journey } from './journey/journey.tsx';
import { LessonView, ToLessons } from './lessons.tsx';
import { LogView } from './log/log-view.tsx';
import { growthRate } from './subscribers/samples.ts';
import { Subscriptions } from './subscribers/subscriptions.tsx';
import { SystemContext, useSystem } from './system-context.ts';
import { createSystemStore } from './system-store.ts';
import './system.css';

// Components are told of an answer before the next frame, in which the focus moves to what it brought.
notifyManager.setScheduler(queueMicrotask);

/** A failed read is tried again by its interval; whatever the browser thinks of the network, the gateway may be local. */
const createClient = () =>
  new QueryClient({
    defaultOptions: {
      queries: { retry: false, networkMode: 'always' },
      mutations: { networkMode: 'always' },
    },
  });

/**
 * The System page: how the parts work, how events travel, what waits. Live while it is visible.
 */
export function System() {
  const [client] = useState(createClient);
  const [store] = useState(() => createSystemStore(client));
  useEffect(() => {
    store.start();
    return store.stop;
  }, [store]);
  return (
    <QueryClientProvider client={client}>
      <SystemContext value={store}>
        <Sections />
      </SystemContext>
    </QueryClientProvider>
  );
}

function Sections() {
  const comment = useSearchParams().get('comment');
  // Shown together once the bus has answered, so that none is pushed down by those above it.
  const isShown = useSystem(({ bus, lesson }) => bus === 'here' || (bus === 'away' && !lesson));
  return (
    <section className="system stack" aria-labelledby="system">
      <div className="card-head">
        <h2 id="system" tabIndex={-1}>
          System
        </h2>
        <Bus />
      </div>
      <LessonView />
      <Diagram />
      {isShown && (
        <>
          {comment && <Journey key={comment} comment={comment} />}
          <ToLessons />
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
  const bus = useSystem((state) => state.bus);
  const away = useSystem(({ parts }) => (parts.get('client')?.state === 'away' ? 'client' : 'event bus'));
  const lesson = useSystem((state) => state.lesson);
  const head = useSystem((state) => state.head);
  const rate = useSystem(({ history }) => growthRate(history.values().next().value ?? []));
  const text = {
    connecting: 'Asking the event bus…',
    here: `${head.toLocaleString()} events in the log, ${perSecond(rate)}`,
    away: `The ${away} does not answer. The page keeps trying.`,
    foreign: `${lesson ? `The bus is ${lesson.bus}/bus.ts: it` : 'This event bus is a foreign one: like the classic one, it'} tells this page nothing of subscriptions, dead letters or its log, so only the parts are shown.`,
  }[bus];
  return (
    <p className={bus === 'away' ? 'waits' : 'quiet'} id="bus">
      {text}
    </p>
  );
}
