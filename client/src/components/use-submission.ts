import { useEffect, useEffectEvent, useState } from 'react';
import { RequestError } from '../api/http.ts';
import { sendUntilAnswered } from '../api/send-until-answered.ts';
import { EMPTY, keyedDraft, loadDraft, saveDraft } from './draft.ts';

/** The reader is told to wait after so many milliseconds. A comment may wait that long for its post. */
const SLOW_MS = 2_500;

type Options = {
  /** Names the form among all forms of the page. */
  form: string;
  /** What the text is called in sentences: "The title …". */
  subject: string;
  limit: number;
  send: (text: string, key: string, signal: AbortSignal) => Promise<void>;
  announce: (text: string) => void;
};

/**
 * One text field that is sent: its draft, its limit, what becomes of it. What was sent is sent again until it is answered,
 * also after a reload; changing the text ends that, because another text is another submission. What is typed stays until
 * it was acknowledged.
 */
export function useSubmission({ form, subject, limit, send, announce }: Options) {
  const [draft, setDraft] = useState(() => loadDraft(form));
  /** Counts how often sending was begun; 0 while nothing is being sent. */
  const [run, setRun] = useState(draft.sending ? 1 : 0);
  /** A request is under way: while one is being sent again, the rest of the time it waits. */
  const [busy, setBusy] = useState(draft.sending);
  /** Why it is sent again, and what that means. */
  const [note, setNote] = useState<string>();
  const [error, setError] = useState<string>();

  function keep(next: typeof draft) {
    setDraft(next);
    saveDraft(form, next);
  }

  function end() {
    setRun(0);
    setBusy(false);
  }

  function change(text: string) {
    if (run > 0) setNote(STOPPED);
    end();
    keep({ ...draft, text, sending: false });
    setError(undefined);
  }

  /** Sends it; what is being sent again already is sent at once. */
  function submit() {
    if (busy) return;
    setError(check());
    if (check()) return;
    keep({ ...keyedDraft(draft), sending: true });
    setBusy(true);
    setRun(run + 1);
    if (run === 0) setNote(undefined);
  }

  function check(): string | undefined {
    const length = countCharacters(draft.text.trim());
    if (length === 0) return `${subject} is empty.`;
    if (length > limit) return `${subject} may have ${limit} characters at most; this one has ${length}.`;
  }

  const begin = useEffectEvent(() => {
    let said = false;
    let slow: ReturnType<typeof setTimeout> | undefined;
    function say(why: string) {
      setNote(`${why} ${MEANWHILE}`);
      // Once: the reader is told that it goes on, not of every try.
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
        setError(refusal === undefined ? undefined : explain(refusal, subject));
      },
    });
    return () => {
      clearTimeout(slow);
      stop();
    };
  });
  useEffect(() => (run === 0 ? undefined : begin()), [run]);

  const length = countCharacters(draft.text.trim());
  return { text: draft.text, length, change, submit, busy, again: run > 0 && note !== undefined, note, error };
}

/** Characters as the services count them: code points, without the white space around the text. */
const countCharacters = (text: string) => [...text].length;

const MEANWHILE = 'It cannot be stored twice. Changing the text ends it.';
const STOPPED = 'It is not sent again. If the blog has stored it already, it will appear.';

function explainWait(failure: RequestError): string {
  if (failure.status === undefined) return 'The blog does not answer. Sending again…';
  if (failure.status === 429) return 'That was too much at once. Sending again in a moment…';
  return 'The blog cannot take it at the moment. Sending again…';
}

function explain(refusal: unknown, subject: string): string {
  const message = refusal instanceof RequestError ? refusal.message : '';
  if (message.startsWith('must')) return `${subject} ${message.replace(/\.?$/, '.')}`;
  return message || 'The blog did not accept it. What you typed is still here.';
}
