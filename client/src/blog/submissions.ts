// The forms' drafts and their submissions. A submission goes on while its form is not shown.

import { announce } from '../shared/announce.ts';
import type { RequestError } from '../shared/http.ts';
import { type Draft, draftForms, EMPTY, keyedDraft, loadDraft, saveDraft } from './draft.ts';
import { check, explain, type Mistake } from './fields.ts';
import { sendUntilAnswered } from './send-until-answered.ts';
import type { Texts } from './types.ts';

/** After this many milliseconds the reader is told to wait. A comment may wait that long for its post. */
const SLOW_MS = 2_500;

export type Submission = {
  draft: Draft;
  /** A request is in flight. Between the attempts of a retry it is false. */
  busy: boolean;
  /** The reason for the retry, as shown to the reader. */
  note: string | undefined;
  error: Mistake | undefined;
};

const IDLE = { busy: false, note: undefined, error: undefined };

/**
 * Creates the state of all forms. A submission is retried until it is answered, also after a reload. Editing a text
 * cancels it, because another text is another submission. A draft is kept until it was acknowledged.
 */
export function createSubmissions(
  send: (form: string, texts: Texts, key: string, signal: AbortSignal) => Promise<void>,
) {
  const known = new Map<string, Submission>();
  /** Functions that cancel, by form. */
  const cancels = new Map<string, () => void>();
  const listeners = new Set<() => void>();

  function of(form: string): Submission {
    const draft = loadDraft(form);
    const submission = known.get(form) ?? { ...IDLE, draft, busy: draft.sending };
    known.set(form, submission);
    return submission;
  }

  function set(form: string, change: Partial<Submission>) {
    known.set(form, { ...of(form), ...change });
    if (change.draft) saveDraft(form, change.draft);
    for (const listener of listeners) listener();
  }

  function begin(form: string) {
    const { draft } = of(form);
    let said = false;
    let slow: ReturnType<typeof setTimeout> | undefined;
    function say(why: string) {
      set(form, { note: `${why} ${MEANWHILE}` });
      // Announced once, not for each attempt.
      if (!said) announce(why);
      said = true;
    }
    const stop = sendUntilAnswered({
      send: (signal) => send(form, draft.keyOf, draft.key, signal),
      onTry() {
        set(form, { busy: true });
        slow = setTimeout(say, SLOW_MS, 'The blog has not answered yet. Waiting for it…');
      },
      onFailure(failure) {
        clearTimeout(slow);
        set(form, { busy: false });
        say(explainWait(failure));
      },
      onEnd(refusal) {
        clearTimeout(slow);
        if (refusal === undefined) set(form, { ...IDLE, draft: EMPTY });
        else set(form, { ...IDLE, draft: { ...draft, sending: false }, error: explain(form, refusal) });
      },
    });
    cancels.get(form)?.();
    cancels.set(form, () => {
      clearTimeout(slow);
      stop();
    });
  }

  return {
    of,
    subscribe(listener: () => void) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    change(form: string, field: string, text: string) {
      cancels.get(form)?.();
      const { draft, note } = of(form);
      const changed = { ...draft, texts: { ...draft.texts, [field]: text }, sending: false };
      set(form, { ...IDLE, draft: changed, note: draft.sending ? STOPPED : note });
    },
    /** Submits the texts. During a retry, sends the next attempt now. */
    submit(form: string) {
      const { draft, busy, note } = of(form);
      if (busy) return;
      const error = check(form, draft.texts);
      if (error) return set(form, { error });
      const keyed = { ...keyedDraft(draft), sending: true };
      set(form, { ...IDLE, draft: keyed, busy: true, note: draft.sending ? note : undefined });
      begin(form);
    },
    /** Continues to send what was not answered yet, until `stop`. */
    start() {
      for (const form of draftForms()) if (of(form).draft.sending) begin(form);
    },
    stop() {
      for (const cancel of cancels.values()) cancel();
    },
  };
}

const MEANWHILE = 'It is stored at most once. Changing the text cancels it.';
const STOPPED = 'Sending was cancelled. If the blog has stored it already, it will appear.';

function explainWait(failure: RequestError): string {
  if (failure.status === undefined) return 'The blog does not answer. Sending again…';
  if (failure.status === 429) return 'Too many requests at once. Sending again in a moment…';
  return 'The blog cannot store it at the moment. Sending again…';
}
