import { Fragment, type KeyboardEvent, useId } from 'react';
import type { useSubmission } from './use-submission.ts';

type Submission = ReturnType<typeof useSubmission>;
type Props = { button: string; primary?: boolean; submission: Submission };

/** A form of labelled fields with their limits, an error or status beside them, and a button that shows progress. */
export function TextForm({ button, primary, submission }: Props) {
  const { fields, change, submit, busy, again, note, error } = submission;
  const id = useId();
  const last = fields.at(-1);

  function onKeyDown(event: KeyboardEvent) {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) submit();
  }

  function attributesOf({ name, text, length, limit }: Submission['fields'][number]) {
    const isWrong = error?.field === name;
    const described = [isWrong && `${id}-error`, note && `${id}-note`, `${id}-${name}-limit`];
    return {
      id: `${id}-${name}`,
      value: text,
      // A draft may be edited while its request is retried; editing cancels the retry.
      readOnly: busy && !again,
      'aria-invalid': length > limit || isWrong,
      'aria-describedby': described.filter(Boolean).join(' '),
      autoComplete: 'off',
      dir: 'auto',
    } as const;
  }

  const limitOf = ({ name, length, limit }: Submission['fields'][number]) => (
    <span className="limit" id={`${id}-${name}-limit`} data-over={length > limit}>
      {length === 0
        ? `Up to ${limit.toLocaleString()} characters`
        : `${length} of ${limit.toLocaleString()} characters`}
    </span>
  );

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
      {fields.map((field) => (
        <Fragment key={field.name}>
          <label htmlFor={`${id}-${field.name}`}>{field.label}</label>
          {field.multiline ? (
            <textarea
              {...attributesOf(field)}
              rows={1}
              onChange={(event) => change(field.name, event.target.value)}
              onKeyDown={onKeyDown}
            />
          ) : (
            <input {...attributesOf(field)} type="text" onChange={(event) => change(field.name, event.target.value)} />
          )}
          {field !== last && limitOf(field)}
        </Fragment>
      ))}
      {error !== undefined && (
        <p className="error" id={`${id}-error`} role="alert">
          {error.text}
        </p>
      )}
      {note !== undefined && (
        <p className="waits" id={`${id}-note`}>
          {note}
        </p>
      )}
      <div className="text-form-foot">
        {last && limitOf(last)}
        <button type="submit" className={primary ? 'primary' : undefined} aria-disabled={busy}>
          {busy ? 'Sending…' : again ? 'Try now' : button}
        </button>
      </div>
    </form>
  );
}
