import { type KeyboardEvent, useId } from 'react';
import type { useSubmission } from './use-submission.ts';
import './form.css';

type Props = {
  label: string;
  limit: number;
  button: string;
  multiline?: boolean;
  submission: ReturnType<typeof useSubmission>;
};

/** A form with one labelled field, its limit, an error or status beside it, and a button that shows progress. */
export function TextForm({ label, limit, button, multiline, submission }: Props) {
  const { text, length, change, submit, busy, again, note, error } = submission;
  const id = useId();
  const over = length > limit;
  const field = {
    id,
    value: text,
    // A draft may be edited while its request is retried; editing cancels the retry.
    readOnly: busy && !again,
    'aria-invalid': over || error !== undefined,
    'aria-describedby': [error && `${id}-error`, note && `${id}-note`, `${id}-limit`].filter(Boolean).join(' '),
    autoComplete: 'off',
    dir: 'auto',
  } as const;

  function onKeyDown(event: KeyboardEvent) {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) submit();
  }

  return (
    <form
      className="text-form"
      aria-busy={busy}
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
    >
      <label htmlFor={id}>{label}</label>
      {multiline ? (
        <textarea {...field} rows={1} onChange={(event) => change(event.target.value)} onKeyDown={onKeyDown} />
      ) : (
        <input {...field} type="text" onChange={(event) => change(event.target.value)} />
      )}
      {error !== undefined && (
        <p className="error" id={`${id}-error`} role="alert">
          {error}
        </p>
      )}
      {note !== undefined && (
        <p className="waits" id={`${id}-note`}>
          {note}
        </p>
      )}
      <div className="text-form-foot">
        <span className="limit" id={`${id}-limit`} data-over={over}>
          {length === 0
            ? `Up to ${limit.toLocaleString()} characters`
            : `${length} of ${limit.toLocaleString()} characters`}
        </span>
        <button type="submit" className={multiline ? undefined : 'primary'} aria-disabled={busy}>
          {busy ? 'Sending…' : again ? 'Try now' : button}
        </button>
      </div>
    </form>
  );
}
