import { createIdempotencyKey } from '../api/idempotency-key.ts';

/**
 * What is typed and not stored yet. The key belongs to `keyOf`: the same text sent again goes with the same key.
 * `sending`: the reader has sent it, and it was not answered yet.
 */
export type Draft = { text: string; key: string; keyOf: string; sending: boolean };

export const EMPTY: Draft = { text: '', key: '', keyOf: '', sending: false };

const name = (form: string) => `blog.draft.${form}`;

/** Drafts outlive their form, and a reload: also one whose request was perhaps carried out while the page went away. */
export function loadDraft(form: string): Draft {
  try {
    const draft: Partial<Draft> = JSON.parse(sessionStorage.getItem(name(form)) ?? '{}');
    return { ...EMPTY, ...draft };
  } catch {
    return EMPTY;
  }
}

/** The forms whose drafts a reload interrupted while they were being sent. */
export function formsBeingSent(): string[] {
  try {
    const forms = Object.keys(sessionStorage).map((key) => key.replace(name(''), ''));
    return forms.filter((form) => loadDraft(form).sending);
  } catch {
    return [];
  }
}

export function saveDraft(form: string, draft: Draft): void {
  try {
    if (draft.text === '') sessionStorage.removeItem(name(form));
    else sessionStorage.setItem(name(form), JSON.stringify(draft));
  } catch {
    // Without storage a draft lives as long as its form.
  }
}

/** The draft with a key that fits its text. */
export function keyedDraft(draft: Draft): Draft {
  const text = draft.text.trim();
  return draft.keyOf === text && draft.key ? draft : { ...draft, key: createIdempotencyKey(), keyOf: text };
}
