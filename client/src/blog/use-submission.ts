import { useEffect, useEffectEvent, useState } from 'react';
import { RequestError } from '../shared/http.ts';
import { EMPTY, keyedDraft, loadDraft, saveDraft } from './draft.ts';
import { sendUntilAnswered } from './send-until-answered.ts';
import type { Texts } from './types.ts';

/** After this many milliseconds the reader is told to wait. A comment may wait that long for its post. */
const SLOW_MS = 2_500;

type Field = {
  /** Its name in the request. */
  name: string;
  label: string;
  /** Its name in sentences: "The title …". */
  subject: string;
  limit: number;
  multiline?: boolean;
  optional?: boolean;
};

type Options = {
  /** A name for the form, unique in the page. */
  form: string;
  fields: readonly [Field, ...Field[]];
  send: (texts: Texts, key: string, signal: AbortSignal) => Promise<void>;
  announce: (text: string) => void;
};

/**
 * The state of a form with text fields: its draft, their limits and its submission. A submission is retried until it is
 * answered, also after a reload. Editing a text cancels it, because another text is another submission. The draft is
 * kept until it was acknowledged.
 */
export function useSubmission({ form, fields, send, announce }: Options) {
  const [draft, setDraft] = useState(() => loadDraft(form));
  /** Incremented by each submission; 0 while nothing is being sent. */
  const [run, setRun] = useState(draft.sending ? 1 : 0);
  /** A request is in flight. Between the attempts of a retry it is false. */
  const [busy, setBusy] = useState(draft.sending);
  /** The reason for the retry, as shown to the reader. */
  const [note, setNote] = useState<string>();
  const [error, setError] = useState<{ field: string; text: string }>();

  function keep(next: typeof draft) {
    setDraft(next);
    saveDraft(form, next);
  }

  function end() {
    setRun(0);
    setBusy(false);
  }

  function change(name: string, text: string) {
    if (run > 0) setNote(STOPPED);
    end();
    keep({ ...draft, texts: { ...draft.texts, [name]: text }, sending: false });
    setError(undefined);
  }

  /** Submits the texts. During a retry, sends the next attempt now. */
  function submit() {
    if (busy) return;
    setError(check());
    if (check()) return;
    keep({ ...keyedDraft(draft), sending: true });
    setBusy(true);
    setRun(run + 1);
    if (run === 0) setNote(undefined);
  }

  const lengthOf = (field: Field) => countCharacters((draft.texts[field.name] ?? '').trim());

  function check() {
    for (const field of fields) {
      const { name, subject, limit, optional } = field;
      const length = lengthOf(field);
      if (length === 0 && !optional) return { field: name, text: `${subject} is empty.` };
      const tooLong = `${subject} may have ${limit} characters at most; this one has ${length}.`;
      if (length > limit) return { field: name, text: tooLong };
    }
  }

  const begin = useEffectEvent(() => {
    let said = false;
    let slow: ReturnType<typeof setTimeout> | undefined;
    function say(why: string) {
      setNote(`${why} ${MEANWHILE}`);
      // Announced once, not for each attempt.
      if (!said) announce(why);
      said = true;
    }
    const stop = sendUntilAnswered({
      send: (signal) => send(draft.keyOf, draft.key, signal),
      onTry() {
        setBusy(true);
        slow = setTimeout(say, SLOW_MS, 'The blog has not answered yet. Waiting for it…');
      },
      onFailure(failure) {
        clearTimeout(slow);
        setBusy(false);
        say(explainWait(failure));
      },
      onEnd(refusal) {
        clearTimeout(slow);
        end();
        setNote(undefined);
        keep(refusal === undefined ? EMPTY : { ...draft, sending: false });
        const [{ name, subject }] = fields;
        setError(refusal === undefined ? undefined : { field: name, text: explain(refusal, subject) });
      },
    });
    return () => {
      clearTimeout(slow);
      stop();
    };
  });
  useEffect(() => (run === 0 ? undefined : begin()), [run]);

  return {
    fields: fields.map((field) => ({ ...field, text: draft.texts[field.name] ?? '', length: lengthOf(field) })),
    ...{ change, submit, busy, again: run > 0 && note !== undefined, note, error },
  };
}

/** Counts characters as the services do: code points, without surrounding white space. */
const countCharacters = (text: string) => [...text].length;

const MEANWHILE = 'It is stored at most once. Changing the text cancels it.';
const STOPPED = 'Sending was cancelled. If the blog has stored it already, it will appear.';

function explainWait(failure: RequestError): string {
  if (failure.status === undefined) return 'The blog does not answer. Sending again…';
  if (failure.status === 429) return 'Too many requests at once. Sending again in a moment…';
  return 'The blog cannot store it at the moment. Sending again…';
}

function explain(refusal: unknown, subject: string): string {
  const message = refusal instanceof RequestError ? refusal.message : '';
  if (message.startsWith('must')) return `${subject} ${message.replace(/\.?$/, '.')}`;
  return message || 'The blog did not accept it. What you typed is still here.';
}
