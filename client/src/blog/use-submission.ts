import { useEffect, useEffectEvent, useState } from 'react';
import { announce } from '../shared/announce.ts';
import { RequestError } from '../shared/http.ts';
import { type Draft, EMPTY, keyedDraft, loadDraft, saveDraft } from './draft.ts';
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

type State = {
  draft: Draft;
  /** Incremented by each submission; 0 while nothing is being sent. */
  run: number;
  /** A request is in flight. Between the attempts of a retry it is false. */
  busy: boolean;
  /** The reason for the retry, as shown to the reader. */
  note: string | undefined;
  error: { field: string; text: string } | undefined;
};

const startOf = (draft: Draft): State => ({
  ...{ draft, run: draft.sending ? 1 : 0, busy: draft.sending, note: undefined, error: undefined },
});

type Options = {
  /** A name for the form, unique in the page. */
  form: string;
  fields: readonly [Field, ...Field[]];
  send: (texts: Texts, key: string, signal: AbortSignal) => Promise<void>;
};

/**
 * The state of a form with text fields: its draft, their limits and its submission. A submission is retried until it is
 * answered, also after a reload. Editing a text cancels it, because another text is another submission. The draft is
 * kept until it was acknowledged.
 */
export function useSubmission({ form, fields, send }: Options) {
  const [state, setState] = useState(() => startOf(loadDraft(form)));
  const { draft, run, busy, note, error } = state;

  function set(change: Partial<State>) {
    setState((known) => ({ ...known, ...change }));
    if (change.draft) saveDraft(form, change.draft);
  }

  function change(name: string, text: string) {
    const changed = { ...draft, texts: { ...draft.texts, [name]: text }, sending: false };
    set({ ...startOf(changed), note: run > 0 ? STOPPED : note });
  }

  /** Submits the texts. During a retry, sends the next attempt now. */
  function submit() {
    if (busy) return;
    const error = check();
    if (error) return set({ error });
    set({ ...startOf({ ...keyedDraft(draft), sending: true }), run: run + 1, note: run > 0 ? note : undefined });
  }

  const lengthOf = (field: Field) => countCharacters((draft.texts[field.name] ?? '').trim());

  function check(): State['error'] {
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
      set({ note: `${why} ${MEANWHILE}` });
      // Announced once, not for each attempt.
      if (!said) announce(why);
      said = true;
    }
    const stop = sendUntilAnswered({
      send: (signal) => send(draft.keyOf, draft.key, signal),
      onTry() {
        set({ busy: true });
        slow = setTimeout(say, SLOW_MS, 'The blog has not answered yet. Waiting for it…');
      },
      onFailure(failure) {
        clearTimeout(slow);
        set({ busy: false });
        say(explainWait(failure));
      },
      onEnd(refusal) {
        clearTimeout(slow);
        if (refusal === undefined) return set(startOf(EMPTY));
        const [{ name, subject }] = fields;
        set({ ...startOf({ ...draft, sending: false }), error: { field: name, text: explain(refusal, subject) } });
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
