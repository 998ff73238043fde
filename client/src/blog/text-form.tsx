import { type ChangeEvent, Fragment, type KeyboardEvent, useId, useSyncExternalStore } from 'react';
import { signInAddress } from '../shared/sign-in.ts';
import { useFeedStore } from './feed-context.ts';
import { formFields, lengthOf } from './fields.ts';

type Props = { form: string; button: string; primary?: boolean };

/** A form of labelled fields with their limits, an error or status beside them, and a button that shows progress. */
export function TextForm({ form, button, primary }: Props) {
  const { submissions } = useFeedStore();
  const { draft, busy, note, error, asksToSignIn } = useSyncExternalStore(submissions.subscribe, () =>
    submissions.of(form),
  );
  const again = draft.sending && note !== undefined;
  const submit = () => submissions.submit(form);
  const id = useId();

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
      {formFields(form).map(({ name, label, limit, multiline }) => {
        const text = draft.texts[name] ?? '';
        const length = lengthOf(text);
        const isWrong = error?.field === name;
        const described = [isWrong && `${id}-error`, note && `${id}-note`, `${id}-${name}-limit`];
        const attributes = {
          id: `${id}-${name}`,
          value: text,
          onChange: ({ target }: ChangeEvent<HTMLInputElement | HTMLTextAreaElement>) =>
            submissions.change(form, name, target.value),
          // A draft may be edited while its request is retried; editing cancels the retry.
          readOnly: busy && !again,
          'aria-invalid': length > limit || isWrong,
          'aria-describedby': described.filter(Boolean).join(' '),
          autoComplete: 'off',
          dir: 'auto',
        };
        return (
          <Fragment key={name}>
            <label htmlFor={`${id}-${name}`}>{label}</label>
            {multiline ? (
              <textarea {...attributes} rows={1} onKeyDown={onKeyDown} />
            ) : (
              <input {...attributes} type="text" />
            )}
            <span className="limit" id={`${id}-${name}-limit`}>
              {length === 0 ? 'Up to ' : `${length} of `}
              {limit.toLocaleString()} characters
            </span>
          </Fragment>
        );
      })}
      {error && (
        <p className="error" id={`${id}-error`} role="alert">
          {error.text}
        </p>
      )}
      {note && (
        <p className="waits" id={`${id}-note`}>
          {note} {asksToSignIn && <a href={signInAddress()}>Sign in</a>}
        </p>
      )}
      <button type="submit" className={primary ? 'primary' : undefined} aria-disabled={busy}>
        {busy ? 'Sending…' : again ? 'Try now' : button}
      </button>
    </form>
  );
}
