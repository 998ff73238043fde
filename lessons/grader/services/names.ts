// The names of posts and comments in messages and timelines: their ids are random, what they say is not.
import type { Event } from '../events.ts';

type Data = { id?: unknown; postId?: unknown; title?: unknown; content?: unknown; status?: unknown };

export const dataOf = (event: unknown): Data => ((event as Event | undefined)?.data ?? {}) as Data;

/** The title or the content, by which the grader knows everything that it has written: `post-3`. */
export function nameOf(event: unknown): string {
  const { title, content, id } = dataOf(event);
  const name = [title, content, id].find((text) => typeof text === 'string' && NAME.test(text));
  return (name as string | undefined) ?? 'something else';
}

/** The texts that the grader writes. */
const NAME = /^(post|comment)-[\w-]{1,20}( orange)?$/;

/** `CommentUpdated comment-3 (approved)`. */
export function describe(event: unknown): string {
  const { type } = (event ?? {}) as Event;
  const { status } = dataOf(event);
  const known = typeof type === 'string' && type.length <= 40 ? type : 'no event';
  return `${known} ${nameOf(event)}${typeof status === 'string' && status !== 'pending' ? ` (${status.slice(0, 20)})` : ''}`;
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
