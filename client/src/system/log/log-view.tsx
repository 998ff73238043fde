import { useId } from 'react';
import { useSearchParams } from '../../shared/addresses.ts';
import { eventsText } from '../format.tsx';
import { useSystem } from '../system-context.ts';
import { EventView } from './event-view.tsx';
import { LogList } from './log-list.tsx';
import './log.css';

/** The log: its newest events live, older ones on demand, filtered by type and subject; and one event in full. */
export function LogView() {
  const search = useSearchParams();
  const head = useSystem((state) => state.head);
  const event = search.get('event');
  const filter = { type: search.get('type') || undefined, subject: search.get('subject') || undefined };
  const id = useId();
  return (
    <section className="log card" aria-labelledby={id}>
      <div className="card-head">
        <h3 id={id} tabIndex={-1}>
          The log
        </h3>
        {head > 0 && <p className="quiet">{eventsText(head)}</p>}
      </div>
      {event !== null && <EventView key={event} position={event} />}
      <LogList key={JSON.stringify(filter)} filter={filter} />
    </section>
  );
}
