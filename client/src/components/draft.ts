import { createIdempotencyKey } from '../api/idempotency-key.ts';
import { keep, keptNames, loadKept } from '../api/kept.ts';
import { fieldsOf } from '../api/parse.ts';

/**
 * What is typed and not stored yet. The key belongs to `keyOf`: the same text sent again goes with the same key.
 * `sending`: the reader has sent it, and it was not answered yet.
 */
export type Draft = { text: string; key: string; keyOf: string; sending: boolean };

export const EMPTY: Draft = { text: '', key: '', keyOf: '', sending: false };

const name = (form: string) => `blog.draft.${form}`;

/** Drafts outlive their form, and a reload: also one whose request was perhaps carried out while the page went away. */
export function loadDraft(form: string): Draft {
  const { text = '', key = '', keyOf = '', sending } = fieldsOf(loadKept(name(form)));
  return { text: String(text), key: String(key), keyOf: String(keyOf), sending: sending === true };
}

/** The forms whose drafts a reload interrupted while they were being sent. */
export function formsBeingSent(): string[] {
  const forms = keptNames().filter((key) => key.startsWith(name('')));
  return forms.map((key) => key.slice(name('').length)).filter((form) => loadDraft(form).sending);
}

export const saveDraft = (form: string, draft: Draft): void => keep(name(form), draft.text === '' ? undefined : draft);

/** The draft with a key that fits its text. */
export function keyedDraft(draft: Draft): Draft {
  const text = draft.text.trim();
  return draft.keyOf === text && draft.key ? draft : { ...draft, key: createIdempotencyKey(), keyOf: text };
}
