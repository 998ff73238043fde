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

/** A form of one labelled field with its limit, its error beside it, and a button that says when it is being sent. */
export function TextForm({ label, limit, button, multiline, submission }: Props) {
  const { text, change, submit, sending, error, length } = submission;
  const id = useId();
  const over = length > limit;
  const field = {
    id,
    value: text,
    readOnly: sending,
    'aria-invalid': over || error !== undefined,
    'aria-describedby': error === undefined ? `${id}-limit` : `${id}-error ${id}-limit`,
    autoComplete: 'off',
    dir: 'auto',
  } as const;

  function onKeyDown(event: KeyboardEvent) {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) void submit();
  }

  return (
    <form
      className="text-form"
      aria-busy={sending}
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        void submit();
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
      <div className="text-form-foot">
        <span className="limit" id={`${id}-limit`} data-over={over}>
          {length === 0
            ? `Up to ${limit.toLocaleString()} characters`
            : `${length} of ${limit.toLocaleString()} characters`}
        </span>
        <button type="submit" className={multiline ? undefined : 'primary'} aria-disabled={sending}>
          {sending ? 'Sending…' : button}
        </button>
      </div>
    </form>
  );
}
