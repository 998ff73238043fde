// Drafts of the page's forms, kept across reloads.

import { createIdempotencyKey } from '../api/idempotency-key.ts';
import { keep, keptNames, loadKept } from '../api/kept.ts';
import { fieldsOf } from '../api/parse.ts';

/**
 * A text that is typed and not acknowledged yet. The key belongs to `keyOf`: sending the same text again reuses it.
 * `sending`: it was sent, and not answered yet.
 */
export type Draft = { text: string; key: string; keyOf: string; sending: boolean };

export const EMPTY: Draft = { text: '', key: '', keyOf: '', sending: false };

const name = (form: string) => `blog.draft.${form}`;

/**
 * Loads a form's draft. Drafts outlive their form and a reload, also while a request may have been carried out as the
 * page was left.
 */
export function loadDraft(form: string): Draft {
  const { text = '', key = '', keyOf = '', sending } = fieldsOf(loadKept(name(form)));
  return { text: String(text), key: String(key), keyOf: String(keyOf), sending: sending === true };
}

/** The forms that were sending when the page was reloaded. */
export function formsBeingSent(): string[] {
  const forms = keptNames().filter((key) => key.startsWith(name('')));
  return forms.map((key) => key.slice(name('').length)).filter((form) => loadDraft(form).sending);
}

export const saveDraft = (form: string, draft: Draft): void => keep(name(form), draft.text === '' ? undefined : draft);

/** The draft with a key that belongs to its text. */
export function keyedDraft(draft: Draft): Draft {
  const text = draft.text.trim();
  return draft.keyOf === text && draft.key ? draft : { ...draft, key: createIdempotencyKey(), keyOf: text };
}
