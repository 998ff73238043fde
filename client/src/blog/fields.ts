// The forms' fields, and what is wrong with a text in them. A form is `post`, or `comment.` and the id of the post.

import { RequestError } from '../shared/http.ts';
import type { Texts } from './types.ts';

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

const POST: [Field, ...Field[]] = [{ name: 'title', label: 'Title', subject: 'The title', limit: 200 }];
const COMMENT: typeof POST = [
  { name: 'content', label: 'Your comment', subject: 'The comment', limit: 2_000, multiline: true },
];
const PREFIX = 'comment.';

export const commentForm = (postId: string): string => PREFIX + postId;

/** The id of the post that a form comments on; undefined for a new post. */
export const postOf = (form: string): string | undefined =>
  form.startsWith(PREFIX) ? form.slice(PREFIX.length) : undefined;

export const formFields = (form: string) => (postOf(form) === undefined ? POST : COMMENT);

/** Counts characters as the services do: code points, without surrounding white space. */
export const lengthOf = (text = ''): number => [...text.trim()].length;

export type Mistake = { field: string; text: string };

/** The first field that breaks its rule. */
export function check(form: string, texts: Texts): Mistake | undefined {
  for (const { name, subject, limit, optional } of formFields(form)) {
    const length = lengthOf(texts[name]);
    if (length === 0 && !optional) return { field: name, text: `${subject} is empty.` };
    const tooLong = `${subject} may have ${limit} characters at most; this one has ${length}.`;
    if (length > limit) return { field: name, text: tooLong };
  }
}

/** A sentence about what a service refused. */
export function explain(form: string, refusal: unknown): Mistake {
  const [{ name, subject }] = formFields(form);
  const message = refusal instanceof RequestError ? refusal.message : '';
  const text = message.startsWith('must') ? `${subject} ${message.replace(/\.?$/, '.')}` : message;
  return { field: name, text: text || 'The blog did not accept it. What you typed is still here.' };
}
