// A generated history of a blog: the events and rows of its services as if it had been written over HTTP. The same size
// gives the same history, so that several processes can write their share of it concurrently.
import { type CloudEvent, createEvent, type Verdict } from '../common/src/core/events.ts';
import { judge } from '../moderation/src/moderation.ts';

/** The number of posts, and of comments on each; one comment in five is rejected. */
export type Size = { posts: number; comments: number };

/** A post makes one event, a comment three. */
export const eventsOf = ({ posts, comments }: Size): number => posts * (1 + 3 * comments);

const BEGINNING = Date.UTC(2026, 0, 1);

/** An id in the form of a UUIDv7, which increases with time as the services' ids do. */
function idOf(kind: 'post' | 'comment', n: number): string {
  const time = (BEGINNING + n).toString(16).padStart(12, '0');
  return `${time.slice(0, 8)}-${time.slice(8)}-7000-8000-${kind === 'post' ? '0' : '1'}00000000000`;
}

export const verdictOf = (content: string): Verdict => judge(content, ['orange']);

export const postId = (n: number): string => idOf('post', n);

/** All events, in log order. */
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
