import { type FormEvent, useId } from 'react';
import { Link } from 'wouter';
import { navigate } from 'wouter/use-browser-location';
import { addressWith, useSearchParams } from '../../shared/addresses.ts';
import type { LogFilter } from '../requests.ts';

const TYPES = ['PostCreated', 'CommentCreated', 'CommentModerated', 'CommentUpdated'];

/** Filters the log by type and subject. The filter is stored in the address. */
export function FilterForm({ type, subject }: LogFilter) {
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
