// The history of a blog, made up: what its services would have said and stored if it had been written over HTTP. The same
// for the same size, so that several processes can write their part of it at the same time.
import { type CloudEvent, createEvent, type Verdict } from '../common/src/core/events.ts';
import { judge } from '../moderation/src/moderation.ts';

/** So many posts, each with so many comments; one comment in five is rejected. */
export type Size = { posts: number; comments: number };

/** A post makes one event, a comment three. */
export const eventsOf = ({ posts, comments }: Size): number => posts * (1 + 3 * comments);

const BEGINNING = Date.UTC(2026, 0, 1);

/** In the form of a UUIDv7: they grow with time, as those that the services make do. */
function idOf(kind: 'post' | 'comment', n: number): string {
  const time = (BEGINNING + n).toString(16).padStart(12, '0');
  return `${time.slice(0, 8)}-${time.slice(8)}-7000-8000-${kind === 'post' ? '0' : '1'}00000000000`;
}

export const verdictOf = (content: string): Verdict => judge(content, ['orange']);

export const postId = (n: number): string => idOf('post', n);

/** All of its events, in the order of the log. */
export function* history({ posts, comments }: Size): Generator<CloudEvent> {
  for (let p = 0; p < posts; p++) {
    const createdAt = new Date(BEGINNING + p * comments).toISOString();
    const id = postId(p);
    yield createEvent('posts', 'PostCreated', {
      id,
      title: `Post ${p} of many, with a title of usual length`,
      createdAt,
    });
    const written = Array.from({ length: comments }, (_, c) => {
      const n = p * comments + c;
      const content = `Comment ${n}: ${n % 5 === 0 ? 'an orange one' : 'an apple'}, and a sentence more, as people write them.`;
      return { id: idOf('comment', n), postId: id, content, createdAt };
    });
    for (const comment of written)
      yield createEvent('comments', 'CommentCreated', { ...comment, status: 'pending', createdAt });
    const judged = written.map(({ createdAt, ...comment }) => ({
      ...comment,
      status: verdictOf(comment.content),
    }));
    for (const data of judged) yield { ...createEvent('moderation', 'CommentModerated', data), time: createdAt };
    for (const data of judged) yield { ...createEvent('comments', 'CommentUpdated', data), time: createdAt };
  }
}
