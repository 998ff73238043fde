import { type FormEvent, useId } from 'react';
import { Link } from 'wouter';
import { navigate } from 'wouter/use-browser-location';
import { addressWith, useSearchParams } from '../addresses.ts';
import type { LogFilter } from '../requests.ts';
import { EventView } from './event-view.tsx';
import { LogList } from './log-list.tsx';
import './log.css';

const TYPES = ['PostCreated', 'CommentCreated', 'CommentModerated', 'CommentUpdated'];

/** The log: its newest events live, older ones on demand, filtered by type and subject; and one event in full. */
export function LogView() {
  const search = useSearchParams();
  const event = search.get('event');
  const filter = { type: search.get('type') || undefined, subject: search.get('subject') || undefined };
  const id = useId();
  return (
    <section className="log card stack" aria-labelledby={id}>
      <h3 id={id} tabIndex={-1}>
        The log
      </h3>
      {event !== null && <EventView key={event} position={event} />}
      <LogList key={JSON.stringify(filter)} filter={filter}>
        <FilterForm {...filter} />
      </LogList>
    </section>
  );
}

/** Filters the log by type and subject. The filter is stored in the address. */
function FilterForm({ type, subject }: LogFilter) {
  const search = useSearchParams();
  const types = useId();

  function apply(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const field = (name: string) => String(form.get(name)).trim() || undefined;
    navigate(addressWith(search, { type: field('type'), subject: field('subject') }));
  }

  return (
    <form className="log-filter text-form" aria-label="Events of the log" onSubmit={apply}>
      <label>
        Type
        <input name="type" defaultValue={type} list={types} autoComplete="off" spellCheck={false} maxLength={1_000} />
      </label>
      <datalist id={types}>
        {TYPES.map((name) => (
          <option key={name} value={name} />
        ))}
      </datalist>
      <label>
        Subject: the id of a post or a comment
        <input name="subject" defaultValue={subject} autoComplete="off" spellCheck={false} maxLength={1_000} />
      </label>
      <button type="submit">Show</button>
      {(type ?? subject) && <Link href={addressWith(search, { type: undefined, subject: undefined })}>Show all</Link>}
    </form>
  );
}
