// The rules of comments: a comment and its event are one transaction, and the first verdict in the log stands.
import { randomUUIDv7 } from 'node:crypto';
import type { Checkpoint } from '@blog/common/core/checkpoint.ts';
import { createEvent, type KnownEvent, type Status } from '@blog/common/core/events.ts';
import { enqueue, replayedFrom } from '@blog/common/core/outbox.ts';
import { keyReused, unknownCursor } from '@blog/common/core/problem.ts';
import { firstOf, type Rows } from '@blog/common/core/rows.ts';
import type { Tx } from '@blog/common/core/sqlite.ts';
import { requestBody, requestText } from '@blog/common/http/input.ts';
import type { z } from 'zod';

const SOURCE = 'comments';

/** The fields of a request for a new comment. */
export const newComment = requestBody({ content: requestText(2_000) });
type NewComment = z.output<typeof newComment>;
export type Comment = { id: string; postId: string; content: string | null; status: Status; createdAt: string | null };

const COLUMNS = 'id, post_id AS postId, content, status, created_at AS createdAt';
const INSERT = `INSERT INTO comments (id, post_id, content, created_at, idempotency_key, event) VALUES (?, ?, ?, ?, ?, ?)`;

/**
 * Stores a comment and its event in one transaction. With the key of an earlier request it answers as that time.
 * @returns undefined if the post is not known
 * @throws Problem 422 if the key was used with another post or content
 */
export function createComment(
  tx: Tx,
  postId: string,
  { content }: NewComment,
  key: string | null,
  traceparent?: string,
): Comment | undefined {
  const earlier = key && tx.get<Comment>(`SELECT ${COLUMNS} FROM comments WHERE idempotency_key = ?`, key);
  if (earlier && (earlier.postId !== postId || earlier.content !== content)) throw keyReused();
  if (earlier) return { ...earlier, status: 'pending' };
  if (!knowsPost(tx, postId)) return undefined;
  const status = 'pending' as const;
  const comment = { id: randomUUIDv7(), postId, content, status, createdAt: new Date().toISOString() };
  const event = JSON.stringify(createEvent(SOURCE, 'CommentCreated', comment, traceparent));
  tx.run(INSERT, comment.id, postId, content, comment.createdAt, key, event);
  enqueue(tx, event);
  return comment;
}

export function knowsPost(tx: Tx, id: string): boolean {
  return tx.get('SELECT 1 FROM posts WHERE id = ?', id) !== undefined;
}

/** A page of the post's comments, in the order they were written, behind the comment `cursor`. */
export function listComments(tx: Tx, postId: string, limit: number, cursor?: string): Rows<Comment> {
  const seen = cursor
    ? tx.get<{ seq: number }>('SELECT seq FROM comments WHERE id = ? AND post_id = ?', cursor, postId)
    : { seq: 0 };
  if (!seen) throw unknownCursor();
  const sql = `SELECT ${COLUMNS}, seq FROM comments WHERE post_id = ? AND seq > ? ORDER BY seq LIMIT ?`;
  return firstOf(tx.each(sql, postId, seen.seq, limit + 1), limit);
}

const FILL_IN = `INSERT INTO comments (id, post_id, content, created_at, event) VALUES (?, ?, ?, ?, ?)
  ON CONFLICT (id) DO UPDATE SET content = coalesce(content, excluded.content),
    created_at = coalesce(created_at, excluded.created_at), event = coalesce(event, excluded.event)
  WHERE content IS NULL OR created_at IS NULL OR event IS NULL`;
const JUDGE = `INSERT INTO comments (id, post_id, content, status) VALUES (?, ?, ?, ?)
  ON CONFLICT (id) DO UPDATE SET status = iif(status = 'pending', excluded.status, status),
    content = coalesce(content, excluded.content)
  RETURNING id, post_id AS postId, content, status`;

/** Applies an event of the log. Every branch may run again, in any order, without a second effect. */
export function handle(tx: Tx, event: KnownEvent): void {
  switch (event.type) {
    case 'PostCreated':
      tx.run('INSERT OR IGNORE INTO posts (id) VALUES (?)', event.data.id);
      return;
    case 'CommentCreated': {
      const { id, postId, content = null, createdAt = event.time ?? null } = event.data;
      const data = { status: 'pending', ...event.data };
      const published = event.published ?? createEvent(SOURCE, event.type, data, event.traceparent);
      tx.run(FILL_IN, id, postId, content, createdAt, JSON.stringify(published));
      return;
    }
    case 'CommentModerated': {
      const { id, postId, content = null, status } = event.data;
      if (!status) return;
      // The first verdict in the log stands; a later one only publishes the first again.
      const standing = tx.get<Omit<Comment, 'createdAt'>>(JUDGE, id, postId, content, status);
      if (standing) enqueue(tx, createEvent(SOURCE, 'CommentUpdated', standing, event.traceparent));
      return;
    }
  }
}

/** A replay was ordered: the event of every comment goes into the outbox again, in order. */
export function publishAgain(tx: Tx, after: Checkpoint): void {
  replayedFrom(tx, after);
  tx.run('INSERT INTO outbox (event) SELECT event FROM comments WHERE event IS NOT NULL ORDER BY seq');
}
