// The projection: builds the read model from events.
import type { Handlers } from '@blog/common/core/events.ts';
import { fillIn, lacks, valuesOf } from '@blog/common/core/rows.ts';
import type { Tx } from '@blog/common/core/sqlite.ts';
import { COMMENT, POST } from './read-model.ts';

/** Each change has a revision of its own: the next one. */
const NEXT = '(SELECT revision + 1 FROM model)';
const marks = (fields: readonly string[]) => fields.map(() => '?');

// A row that is known keeps its `seq`; an upsert without it would leave a gap behind.
const STORE_POST = `INSERT INTO posts (seq, id, ${POST}, commentCount, revision) VALUES (?, ?, ${marks(POST)}, ?, ${NEXT})
  ON CONFLICT DO UPDATE SET ${fillIn(POST)}, revision = excluded.revision WHERE ${lacks(POST)}`;
const FILLED = COMMENT.filter((field) => field !== 'status');
const STORE_COMMENT = `INSERT INTO comments (seq, id, postId, ${COMMENT}, revision) VALUES (?, ?, ?, ${marks(COMMENT)}, ${NEXT})
  ON CONFLICT DO UPDATE SET ${fillIn(FILLED)}, revision = excluded.revision,
    status = iif(status = 'pending', excluded.status, status)
  WHERE ${lacks(FILLED)} OR status = 'pending' AND excluded.status <> 'pending'`;

/**
 * One event → its tables. Upserts by id, fills in what was not known, never blanks what was, and never moves a status back;
 * an event applied again changes nothing, not even a revision.
 */
export const handlers: Handlers = {
  PostCreated(tx, { data, time }) {
    storePost(tx, { ...data, createdAt: data.createdAt ?? time });
  },
  CommentCreated(tx, { data, time }) {
    storeComment(tx, { ...data, status: 'pending', createdAt: data.createdAt ?? time });
  },
  CommentUpdated(tx, { data }) {
    storeComment(tx, { ...data, status: data.status ?? 'pending' });
  },
};

type PostData = { id: string } & { [field in (typeof POST)[number]]?: unknown };
type CommentData = { id: string; postId: string } & { [field in (typeof COMMENT)[number]]?: unknown };

function storePost(tx: Tx, post: PostData): void {
  const known = tx.get<{ seq: number }>('SELECT seq FROM posts WHERE id = ?', post.id);
  // Comments that were here first are shown from now on, so they count as changed.
  const early = known ? [] : tx.all<{ seq: number }>('SELECT seq FROM comments WHERE postId = ? ORDER BY seq', post.id);
  change(tx, STORE_POST, known?.seq ?? null, post.id, ...valuesOf(POST, post), early.length);
  for (const { seq } of early) change(tx, `UPDATE comments SET revision = ${NEXT} WHERE seq = ?`, seq);
}

function storeComment(tx: Tx, comment: CommentData): void {
  const known = tx.get<{ seq: number }>('SELECT seq FROM comments WHERE id = ?', comment.id);
  change(tx, STORE_COMMENT, known?.seq ?? null, comment.id, comment.postId, ...valuesOf(COMMENT, comment));
  if (!known) tx.run('UPDATE posts SET commentCount = commentCount + 1 WHERE id = ?', comment.postId);
}

/** To get a revision by RETURNING would take three times as long. */
function change(tx: Tx, sql: string, ...values: (string | number | null)[]): void {
  if (tx.run(sql, ...values).changes > 0) tx.run('UPDATE model SET revision = revision + 1');
}
