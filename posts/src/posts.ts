// The rules of posts: a post and the event that announces it are one transaction.
import { randomUUIDv7 } from 'node:crypto';
import type { Checkpoint } from '@blog/common/core/checkpoint.ts';
import { createEvent, type KnownEvent } from '@blog/common/core/events.ts';
import { enqueue, replayedFrom } from '@blog/common/core/outbox.ts';
import { keyReused, unknownCursor } from '@blog/common/core/problem.ts';
import { firstOf, type Rows } from '@blog/common/core/rows.ts';
import type { Tx } from '@blog/common/core/sqlite.ts';
import { requestBody, requestText } from '@blog/common/http/input.ts';
import type { z } from 'zod';

const SOURCE = 'posts';

/** The fields of a request for a new post. */
export const newPost = requestBody({ title: requestText(200) });
type NewPost = z.output<typeof newPost>;
export type Post = NewPost & { id: string; createdAt: string };

const COLUMNS = 'id, title, created_at AS createdAt';
const INSERT = 'INSERT INTO posts (id, title, created_at, idempotency_key, event) VALUES (?, ?, ?, ?, ?)';

/**
 * Stores a post and its event in one transaction. With the key of an earlier request it returns that one's post.
 * @throws Problem 422 if the key was used with another title
 */
export function createPost(tx: Tx, { title }: NewPost, key: string | null, traceparent?: string): Post {
  const earlier = key && tx.get<Post>(`SELECT ${COLUMNS} FROM posts WHERE idempotency_key = ?`, key);
  if (earlier && earlier.title !== title) throw keyReused();
  if (earlier) return earlier;
  const post = { id: randomUUIDv7(), title, createdAt: new Date().toISOString() };
  const event = JSON.stringify(createEvent(SOURCE, 'PostCreated', post, traceparent));
  tx.run(INSERT, post.id, title, post.createdAt, key, event);
  enqueue(tx, event);
  return post;
}

/** A page of posts, in the order of their creation, behind the post `cursor`. */
export function listPosts(tx: Tx, limit: number, cursor?: string): Rows<Post & { seq: number }> {
  const seen = cursor ? tx.get<{ seq: number }>('SELECT seq FROM posts WHERE id = ?', cursor) : { seq: 0 };
  if (!seen) throw unknownCursor();
  const sql = `SELECT ${COLUMNS}, seq FROM posts WHERE seq > ? ORDER BY seq LIMIT ?`;
  return firstOf(tx.each(sql, seen.seq, limit + 1), limit);
}

/** Inserts from its own event the post that a lost or older database does not have; fills in what was not known. */
export function handle(tx: Tx, event: KnownEvent): void {
  if (event.type !== 'PostCreated') return;
  const { id, title = null, createdAt = event.time ?? null } = event.data;
  tx.run(
    `INSERT INTO posts (id, title, created_at, event) VALUES (?, ?, ?, ?)
     ON CONFLICT (id) DO UPDATE SET title = coalesce(title, excluded.title),
       created_at = coalesce(created_at, excluded.created_at)
     WHERE title IS NULL OR created_at IS NULL`,
    id,
    title,
    createdAt,
    JSON.stringify(event.published ?? createEvent(SOURCE, event.type, event.data, event.traceparent)),
  );
}

/** A replay was ordered: the event of every post goes into the outbox again, in order; a log that lost some gets it back. */
export function publishAgain(tx: Tx, after: Checkpoint): void {
  replayedFrom(tx, after);
  tx.run('INSERT INTO outbox (event) SELECT event FROM posts ORDER BY seq');
}
