// The rules of posts: a post and the event that announces it are one transaction.
import type { Checkpoint } from '@blog/common/core/checkpoint.ts';
import { type Author, createEvent, type Handlers, isOwn, recordOf } from '@blog/common/core/events.ts';
import { enqueue, prepareReplay } from '@blog/common/core/outbox.ts';
import {
  differs,
  fillIn,
  firstOf,
  lacks,
  type Rows,
  replace,
  seqOf,
  valuesOf,
  withAuthor,
  withAuthors,
} from '@blog/common/core/rows.ts';
import type { Tx } from '@blog/common/core/sqlite.ts';
import { answerAgain, newId, requestBody, requestText } from '@blog/common/http/input.ts';
import type { z } from 'zod';

const SOURCE = 'posts';

/** The fields of a request for a new post. */
export const newPost = requestBody({ title: requestText(200) });

/** The fields of a post besides its id, as they are stored, answered and published. An event may lack any of them. */
const FIELDS = ['title', 'createdAt', 'author'] as const;
type Post = { id: string; title?: string | null; createdAt?: string | null; author?: Author };

/** `INSERT INTO posts (id, title,createdAt, …) VALUES (…) ON CONFLICT … SET title = coalesce(title, excluded.title), …` */
const STORE = `INSERT INTO posts (id, ${FIELDS}, event) VALUES (?, ${FIELDS.map(() => '?')}, ?) ON CONFLICT (id) DO UPDATE SET`;
const FILL_IN = `${STORE} ${fillIn(FIELDS)} WHERE ${lacks(FIELDS)}`;
/** The log's word stands: another copy was first with the same key. */
const REPLACE = `${STORE} ${replace([...FIELDS, 'event'])} WHERE ${differs(FIELDS)}`;

const store = (tx: Tx, sql: string, post: Post, event: string) =>
  tx.run(sql, post.id, ...valuesOf(FIELDS, post), event);

/** The second key is that of posts which are older than ids from keys. */
const FIND = `SELECT id, ${FIELDS} FROM posts WHERE id = ? OR idempotencyKey = ?`;

/**
 * Stores a post and its event in one transaction. With the key of an earlier request it returns that one's post.
 * @throws Problem 422 if the key was used for another post, or by another author
 */
export function createPost(
  tx: Tx,
  given: z.output<typeof newPost>,
  key: string | null,
  { author, traceparent }: { author?: Author; traceparent?: string },
): Post {
  const id = newId(SOURCE, key);
  const earlier = key && tx.get<Post>(FIND, id, key);
  if (earlier) return answerAgain(withAuthor(earlier), given, author);
  const post = { id, ...given, createdAt: new Date().toISOString(), author };
  const event = JSON.stringify(createEvent(SOURCE, 'PostCreated', post, traceparent));
  store(tx, FILL_IN, post, event);
  enqueue(tx, event);
  return post;
}

/** A page of posts, in the order of their creation, behind the post `cursor`. */
export function listPosts(tx: Tx, limit: number, cursor?: string): Rows<Post> {
  const after = cursor ? seqOf(tx, 'SELECT seq FROM posts WHERE id = ?', cursor) : 0;
  const sql = `SELECT id, ${FIELDS}, seq FROM posts WHERE seq > ? ORDER BY seq LIMIT ?`;
  return withAuthors(firstOf(tx.each<Post>(sql, after, limit + 1), limit));
}

export const handlers: Handlers = {
  /** Its own event comes back from the log: so a database that was lost, or put back from a backup, gets its posts again. */
  PostCreated(tx, event) {
    const createdAt = event.data.createdAt ?? event.time;
    const sql = isOwn(SOURCE, event) ? REPLACE : FILL_IN;
    store(tx, sql, { ...event.data, createdAt }, recordOf(SOURCE, event));
  },
};

/** A replay was ordered: the event of every post goes into the outbox again, in order; a log that lost some gets it back. */
export function publishAgain(tx: Tx, after: Checkpoint): void {
  prepareReplay(tx, after);
  tx.run('INSERT INTO outbox (event) SELECT event FROM posts ORDER BY seq');
}
