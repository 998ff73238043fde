// Drafts of the page's forms, kept across reloads.

import { keep, keptNames, loadKept } from '../shared/kept.ts';
import { fieldsOf } from '../shared/parse.ts';
import type { Texts } from './types.ts';

/**
 * Texts that are typed and not acknowledged yet, by field. The key belongs to `keyOf`, the texts as they are sent: sending
 * the same again reuses it. `sending`: they were sent, and not answered yet.
 */
export type Draft = { texts: Texts; key: string; keyOf: Texts; sending: boolean };

export const EMPTY: Draft = { texts: {}, key: '', keyOf: {}, sending: false };

const name = (form: string) => `blog.draft.${form}`;

/**
 * Loads a form's draft. Drafts outlive their form and a reload, also while a request may have been carried out as the
 * page was left.
 */
export function loadDraft(form: string): Draft {
  const { texts, key = '', keyOf, sending } = fieldsOf(loadKept(name(form)));
  return { texts: textsOf(texts), key: String(key), keyOf: textsOf(keyOf), sending: sending === true };
}

const textsOf = (value: unknown): Texts =>
  Object.fromEntries(Object.entries(fieldsOf(value)).map(([field, text]) => [field, String(text)]));

/** The forms that have a draft. */
export const draftForms = (): string[] =>
  keptNames().flatMap((key) => (key.startsWith(name('')) ? key.slice(name('').length) : []));

export const saveDraft = (form: string, draft: Draft): void =>
  keep(name(form), Object.values(draft.texts).every((text) => text === '') ? undefined : draft);

/** The draft with a key that belongs to its texts. Surrounding white space is not sent, nor is a field that is empty. */
export function keyedDraft(draft: Draft): Draft {
  const trimmed = Object.entries(draft.texts).map(([field, text]) => [field, text.trim()]);
  const keyOf = Object.fromEntries(trimmed.filter(([, text]) => text !== '').sort());
  const isSame = JSON.stringify(keyOf) === JSON.stringify(draft.keyOf);
  return isSame && draft.key ? draft : { ...draft, key: createKey(), keyOf };
}

/** 32 random hex digits. `crypto.randomUUID` exists only in secure origins and on localhost. */
function createKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
