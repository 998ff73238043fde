import { useRef, useState } from 'react';
import { RequestError } from '../api/http.ts';
import { keyedDraft, loadDraft, saveDraft } from './draft.ts';

type Options = {
  /** Names the form among all forms of the page. */
  form: string;
  /** What the text is called in sentences: "The title …". */
  subject: string;
  limit: number;
  send: (text: string, key: string) => Promise<void>;
};

/** One text field that is sent: its draft, its limit, its error. What is typed stays until it was acknowledged. */
export function useSubmission({ form, subject, limit, send }: Options) {
  const [draft, setDraft] = useState(() => loadDraft(form));
  const [sending, setSending] = useState(false);
  const [error, setError] = useState<string>();
  const busy = useRef(false);

  function change(text: string) {
    const next = { ...draft, text };
    setDraft(next);
    saveDraft(form, next);
    setError(undefined);
  }

  /** Resolves to whether it was acknowledged. */
  async function submit(): Promise<boolean> {
    if (busy.current) return false;
    const text = draft.text.trim();
    const length = countCharacters(text);
    if (length === 0) return refuse(`${subject} is empty.`);
    if (length > limit) return refuse(`${subject} may have ${limit} characters at most; this one has ${length}.`);
    busy.current = true;
    setSending(true);
    setError(undefined);
    const keyed = keyedDraft(draft);
    setDraft(keyed);
    saveDraft(form, keyed);
    try {
      await send(text, keyed.key);
      const empty = { text: '', key: '', keyOf: '' };
      setDraft(empty);
      saveDraft(form, empty);
      return true;
    } catch (failure) {
      return refuse(explain(failure, subject));
    } finally {
      busy.current = false;
      setSending(false);
    }
  }

  function refuse(text: string): false {
    setError(text);
    return false;
  }

  return { text: draft.text, change, submit, sending, error, length: countCharacters(draft.text.trim()) };
}

/** Characters as the services count them: code points, without the white space around the text. */
const countCharacters = (text: string) => [...text].length;

const AGAIN = 'What you typed is still here; sending it again cannot make a second one.';

function explain(failure: unknown, subject: string): string {
  if (!(failure instanceof RequestError)) return `It could not be sent. ${AGAIN}`;
  const { status, message } = failure;
  if (status === undefined) return `The blog did not answer. ${AGAIN}`;
  if (status === 429) return 'That was too much at once. What you typed is still here; try again in a moment.';
  if (status >= 500) return `The blog cannot take it at the moment. ${AGAIN}`;
  if (message.startsWith('must')) return `${subject} ${message.replace(/\.?$/, '.')}`;
  return message || 'The blog did not accept it.';
}
