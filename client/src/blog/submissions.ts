// The forms' drafts and their submissions. A submission goes on while its form is not shown.

import { announce } from '../shared/announce.ts';
import { backoffMs } from '../shared/backoff.ts';
import { RequestError } from '../shared/http.ts';
import { createListeners } from '../shared/listeners.ts';
import { type Draft, draftForms, EMPTY, keyedDraft, loadDraft, saveDraft } from './draft.ts';
import { check, explain, type Mistake } from './fields.ts';
import type { Texts } from './types.ts';

/** After this many milliseconds the reader is told to wait. A comment may wait that long for its post. */
const SLOW_MS = 2_500;

type Submission = {
  draft: Draft;
  /** A request is in flight. Between the attempts of a retry it is false. */
  busy: boolean;
  /** The reason for the retry, as shown to the reader. */
  note: string | undefined;
  error: Mistake | undefined;
  /** It waits for a user to sign in. */
  asksToSignIn: boolean;
};

const IDLE = { busy: false, note: undefined, error: undefined, asksToSignIn: false };
const startOf = (draft: Draft): Submission => ({ ...IDLE, draft, busy: draft.sending });

/**
 * Creates the state of all forms. A submission is retried until it is answered, also after a reload. Editing a text
 * cancels it, because another text is another submission. A draft is kept until it was acknowledged.
 * @param signedIn resolves once a user is signed in; undefined where there is no sign-in
 */
export function createSubmissions(
  send: (form: string, texts: Texts, key: string, signal: AbortSignal) => Promise<void>,
  signedIn?: (signal: AbortSignal) => Promise<void>,
) {
  const known = new Map<string, Submission>();
  /** Each ends the submission of a form. */
  const endings = new Map<string, AbortController>();
  const { notify, subscribe } = createListeners();

  function of(form: string): Submission {
    const submission = known.get(form) ?? startOf(loadDraft(form));
    known.set(form, submission);
    return submission;
  }

  function set(form: string, change: Partial<Submission>) {
    known.set(form, { ...of(form), ...change });
    if (change.draft) saveDraft(form, change.draft);
    notify();
  }

  function begin(form: string) {
    cancel(form);
    const ending = new AbortController();
    endings.set(form, ending);
    void sendUntilAnswered(form, ending.signal);
  }

  const cancel = (form: string) => endings.get(form)?.abort();

  /**
   * Without an answer, or with a 5xx, a request may or may not have been carried out; a 429 says that it was not. It is
   * repeated with the same Idempotency-Key after `Retry-After` plus jitter, without a limit. `navigator.onLine` is ignored,
   * because a blog on the same machine works without a network. A 401 where there is sign-in is repeated once a user is
   * signed in, maybe in another window, or after a reload.
   */
  async function sendUntilAnswered(form: string, signal: AbortSignal) {
    const { draft } = of(form);
    let said = false;
    function say(why: string) {
      set(form, { note: `${why} ${MEANWHILE}` });
      // Announced once, not for each attempt.
      if (!said) announce(why);
      said = true;
    }
    // React's strict mode runs every effect, cleans it up at once, and runs it again.
    await pause(0, signal);
    for (let attempt = 0; ; attempt++) {
      set(form, { busy: true });
      const slow = setTimeout(say, SLOW_MS, 'The blog has not answered yet. Waiting for it…');
      signal.addEventListener('abort', () => clearTimeout(slow));
      const failure: unknown = await send(form, draft.keyOf, draft.key, signal).catch((error) => error);
      clearTimeout(slow);
      if (signal.aborted) return;
      if (failure === undefined) return set(form, { ...IDLE, draft: EMPTY });
      if (signedIn && hasStatus(failure, 401)) {
        if (!of(form).asksToSignIn) announce(SIGN_IN);
        set(form, { busy: false, asksToSignIn: true, note: SIGN_IN });
        await signedIn(signal);
      } else if (mayPass(failure)) {
        set(form, { busy: false, asksToSignIn: false });
        say(explainWait(failure));
      } else {
        // 422: the key belongs to a text of another user, who was signed in before.
        const key = hasStatus(failure, 422) ? '' : draft.key;
        return set(form, { ...IDLE, draft: { ...draft, key, sending: false }, error: explain(form, failure) });
      }
      await pause((failure.retryAfterMs ?? 0) + backoffMs(attempt), signal);
    }
  }

  return {
    of,
    subscribe,
    change(form: string, field: string, text: string) {
      cancel(form);
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
      for (const form of endings.keys()) cancel(form);
    },
  };
}

/** Waits. Once it is aborted, it ends neither with the time nor with an error. */
const pause = (ms: number, signal: AbortSignal) =>
  new Promise<void>((done) => {
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', () => clearTimeout(timer));
  });

const hasStatus = (failure: unknown, status: number): failure is RequestError =>
  failure instanceof RequestError && failure.status === status;

function mayPass(failure: unknown): failure is RequestError {
  if (!(failure instanceof RequestError)) return false;
  const { status } = failure;
  return status === undefined || status === 429 || status >= 500;
}

const SIGN_IN = 'Sign in to send it. What you typed is kept, and is sent as soon as you are signed in.';
const MEANWHILE = 'It is stored at most once. Changing the text cancels it.';
const STOPPED = 'Sending was cancelled. If the blog has stored it already, it will appear.';

function explainWait(failure: RequestError): string {
  if (failure.status === undefined) return 'The blog does not answer. Sending again…';
  if (failure.status === 429) return 'Too many requests at once. Sending again in a moment…';
  return 'The blog cannot store it at the moment. Sending again…';
}
