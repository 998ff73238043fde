import { type FormEvent, useId } from 'react';
import { Link } from 'wouter';
import { navigate } from 'wouter/use-browser-location';
import { addressWith, useQuery } from '../../shared/addresses.ts';

const TYPES = ['PostCreated', 'CommentCreated', 'CommentModerated', 'CommentUpdated'];

type Props = { type: string | undefined; subject: string | undefined };

/** Filters the log by type and subject. The filter is stored in the address. */
export function LogFilterForm({ type = '', subject = '' }: Props) {
  const search = useQuery();
  const types = useId();

  function apply(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const field = (name: string) => String(form.get(name)).trim() || undefined;
    navigate(addressWith(search, { type: field('type'), subject: field('subject') }));
  }

  return (
    <form className="log-filter" aria-label="Events of the log" onSubmit={apply}>
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
      {(type || subject) && <Link href={addressWith(search, { type: undefined, subject: undefined })}>Show all</Link>}
    </form>
  );
}
