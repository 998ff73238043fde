// The rules of comments: a comment and its event are one transaction, and the first verdict in the log stands.
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

const SOURCE = 'comments';

/** The fields of a request for a new comment. */
export const newComment = requestBody({ content: requestText(2_000) });

/** The fields of a comment besides its id, as they are stored, answered and published. An event may lack any of them. */
const FIELDS = ['postId', 'content', 'status', 'createdAt', 'author'] as const;
type Comment = { id: string; author?: Author } & {
  [field in Exclude<(typeof FIELDS)[number], 'author'>]?: string | null;
};

const STORE = `INSERT INTO comments (id, ${FIELDS}, event) VALUES (?, ${FIELDS.map(() => '?')}, ?) ON CONFLICT (id) DO UPDATE SET`;
const FILL_IN = `${STORE} ${fillIn([...FIELDS, 'event'])} WHERE ${lacks([...FIELDS, 'event'])}`;
/** The log's word stands: another copy was first with the same key. The status is that of the verdict. */
const TOLD = FIELDS.filter((field) => field !== 'status');
const REPLACE = `${STORE} ${replace([...TOLD, 'event'])} WHERE ${differs(TOLD)}`;

const store = (tx: Tx, sql: string, comment: Comment, event: string | null) =>
  tx.run(sql, comment.id, ...valuesOf(FIELDS, comment), event);

/** The second key is that of comments which are older than ids from keys. */
const FIND = `SELECT id, ${FIELDS} FROM comments WHERE id = ? OR idempotencyKey = ?`;

/**
 * Stores a comment and its event in one transaction. With the key of an earlier request it answers as that time.
 * @returns undefined if the post is not known
 * @throws Problem 422 if the key was used for another comment, or by another author
 */
export function createComment(
  tx: Tx,
  postId: string,
  given: z.output<typeof newComment>,
  key: string | null,
  { author, traceparent }: { author?: Author; traceparent?: string },
): Comment | undefined {
  const id = newId(SOURCE, key);
  const earlier = key && tx.get<Comment>(FIND, id, key);
  if (earlier) return { ...answerAgain(withAuthor(earlier), { postId, ...given }, author), status: 'pending' };
  if (!knowsPost(tx, postId)) return undefined;
  const comment = { id, postId, ...given, status: 'pending', createdAt: new Date().toISOString(), author };
  const event = JSON.stringify(createEvent(SOURCE, 'CommentCreated', comment, traceparent));
  store(tx, FILL_IN, comment, event);
  enqueue(tx, event);
  return comment;
}

export const knowsPost = (tx: Tx, id: string): boolean => tx.get('SELECT 1 FROM posts WHERE id = ?', id) !== undefined;

/** A page of the post's comments, in the order they were written, behind the comment `cursor`. */
export function listComments(tx: Tx, postId: string, limit: number, cursor?: string): Rows<Comment> {
  const after = cursor ? seqOf(tx, 'SELECT seq FROM comments WHERE id = ? AND postId = ?', cursor, postId) : 0;
  const sql = `SELECT id, ${FIELDS}, seq FROM comments WHERE postId = ? AND seq > ? ORDER BY seq LIMIT ?`;
  return withAuthors(firstOf(tx.each<Comment>(sql, postId, after, limit + 1), limit));
}

/** The first verdict in the log stands. Sets also a status that stays, so that RETURNING yields the row. */
const JUDGE = `UPDATE comments SET status = iif(status = 'pending', ?, status) WHERE id = ?
  RETURNING id, postId, content, status`;

export const handlers: Handlers = {
  PostCreated(tx, { data }) {
    tx.run('INSERT OR IGNORE INTO posts (id) VALUES (?)', data.id);
  },
  CommentCreated(tx, event) {
    const data = { status: 'pending', ...event.data };
    const createdAt = data.createdAt ?? event.time;
    const sql = isOwn(SOURCE, event) ? REPLACE : FILL_IN;
    store(tx, sql, { ...data, createdAt }, recordOf(SOURCE, event, data));
  },
  CommentModerated(tx, { data, traceparent }) {
    if (!data.status) return;
    // The comment, if its verdict has arrived first.
    store(tx, FILL_IN, data, null);
    // A later verdict only publishes the first again.
    const judged = tx.get<{ id: string }>(JUDGE, data.status, data.id);
    if (judged) enqueue(tx, createEvent(SOURCE, 'CommentUpdated', judged, traceparent));
  },
};

/** A replay was ordered: the event of every comment goes into the outbox again, in order. */
export function publishAgain(tx: Tx, after: Checkpoint): void {
  prepareReplay(tx, after);
  tx.run('INSERT INTO outbox (event) SELECT event FROM comments WHERE event IS NOT NULL ORDER BY seq');
}
