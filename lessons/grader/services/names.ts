// The names of posts and comments in messages and timelines: their ids are random, what they say is not.
import type { Event } from '../events.ts';

/**
 * The checks of a scene share a program, and each speaks of post-1 and comment-1: the program gets other numbers. What belongs
 * to another check has no name here.
 */
export class Names {
  #base: number;

  constructor(check: number) {
    this.#base = check * RANGE;
  }

  /** The same for the program. */
  encode<T>(value: T): T {
    return this.#replace(value, (n) => n + this.#base);
  }

  /** Decodes what a program has sent: the check's own numbers again. */
  decode<T>(value: T): T {
    return this.#replace(value, (n) => (n > this.#base && n <= this.#base + RANGE ? n - this.#base : undefined));
  }

  #replace<T>(value: T, numberOf: (n: number) => number | undefined): T {
    const text = JSON.stringify(value)?.replace(/\b(post|comment)-(\d{1,6})\b/g, (_, kind, n) => {
      const number = numberOf(Number(n));
      return number === undefined ? `other-${kind}` : `${kind}-${number}`;
    });
    return text === undefined ? value : JSON.parse(text);
  }
}

/** The numbers of one check. */
const RANGE = 100;

type Data = { id?: unknown; postId?: unknown; title?: unknown; content?: unknown; status?: unknown };

export const dataOf = (event: unknown): Data => ((event as Event | undefined)?.data ?? {}) as Data;

/** The name of what the grader has not written. */
export const UNKNOWN = 'an unknown text';

/** The title or the content, by which the grader knows everything that it has written: `post-3`. */
export function nameOf(event: unknown): string {
  const { title, content, id } = dataOf(event);
  const name = [title, content, id].find((text) => typeof text === 'string' && NAME.test(text));
  return (name as string | undefined) ?? UNKNOWN;
}

/** The texts that the grader writes. */
const NAME = /^(post|comment)-[\w-]{1,20}( orange)?$/;

/** `CommentUpdated comment-3 (approved)`. */
export function describe(event: unknown): string {
  const { type } = (event ?? {}) as Event;
  const { status } = dataOf(event);
  const known = typeof type === 'string' && type.length <= 40 ? type : 'no event';
  const name = nameOf(event);
  return `${known}${name === UNKNOWN ? '' : ` ${name}`}${typeof status === 'string' && status !== 'pending' ? ` (${status.slice(0, 20)})` : ''}`;
}

export const postCreated = (name: string, data: object = {}): Event => ({
  type: 'PostCreated',
  data: { id: name, title: name, ...data },
});

type Verdict = 'approved' | 'rejected';
const about = (name: string, postId: string, status: string) => ({ id: name, postId, content: name, status });

export const commentCreated = (name: string, postId = 'post-1', data: object = {}): Event => ({
  type: 'CommentCreated',
  data: { ...about(name, postId, 'pending'), ...data },
});

export const commentUpdated = (name: string, status: Verdict, postId = 'post-1'): Event => ({
  type: 'CommentUpdated',
  data: about(name, postId, status),
});

/** The verdict on a comment, whose ids are those of its event. */
export const commentModerated = (name: string, status: Verdict, { id = name, postId = 'post-1' }: Data): Event => ({
  type: 'CommentModerated',
  data: { id, postId, content: name, status },
});
