import type { KnownEvent, Verdict } from '@blog/common/core/events.ts';
import type { Tx } from '@blog/common/core/sqlite.ts';

const REVISION = '(SELECT revision FROM model)';
const INSERT_POST = `INSERT INTO posts (id, title, created_at, comment_count, revision) VALUES (?, ?, ?, ?, ${REVISION})`;
const FILL_POST = `UPDATE posts SET title = coalesce(title, ?), created_at = coalesce(created_at, ?), revision = ${REVISION}
  WHERE id = ?`;
const INSERT_COMMENT = `INSERT INTO comments (id, post_id, content, status, created_at, revision)
  VALUES (?, ?, ?, ?, ?, ${REVISION})`;
const UPDATE_COMMENT = `UPDATE comments SET content = ?, status = ?, created_at = ?, revision = ${REVISION} WHERE id = ?`;
const TOUCH_COMMENT = `UPDATE comments SET revision = ${REVISION} WHERE seq = ?`;

type CommentData = { id: string; postId: string; content?: string; createdAt?: string; status?: Verdict };

/**
 * Builds the read model: one event → its tables. Upserts by id, fills in what was not known, never blanks what was, and
 * never moves a status back; an event applied again changes nothing, not even a revision.
 */
export function project(tx: Tx, event: KnownEvent): void {
  switch (event.type) {
    case 'PostCreated': {
      const { id, title = null, createdAt = event.time ?? null } = event.data;
      upsertPost(tx, id, title, createdAt);
      return;
    }
    case 'CommentCreated':
      upsertComment(tx, { ...event.data, createdAt: event.data.createdAt ?? event.time });
      return;
    case 'CommentUpdated':
      upsertComment(tx, event.data);
      return;
  }
}

function upsertPost(tx: Tx, id: string, title: string | null, createdAt: string | null): void {
  const post = tx.get<{ title: string | null; createdAt: string | null }>(
    'SELECT title, created_at AS createdAt FROM posts WHERE id = ?',
    id,
  );
  if (post) {
    if ((post.title ?? title) === post.title && (post.createdAt ?? createdAt) === post.createdAt) return;
    advance(tx);
    tx.run(FILL_POST, title, createdAt, id);
    return;
  }
  // Comments that were here first are shown from now on, so they count as changed.
  const early = tx.all<{ seq: number }>('SELECT seq FROM comments WHERE post_id = ? ORDER BY seq', id);
  advance(tx);
  tx.run(INSERT_POST, id, title, createdAt, early.length);
  for (const { seq } of early) {
    advance(tx);
    tx.run(TOUCH_COMMENT, seq);
  }
}

function upsertComment(tx: Tx, data: CommentData): void {
  const { id, postId, content = null, createdAt = null, status = 'pending' } = data;
  const comment = tx.get<{ content: string | null; status: string; createdAt: string | null }>(
    'SELECT content, status, created_at AS createdAt FROM comments WHERE id = ?',
    id,
  );
  if (!comment) {
    advance(tx);
    tx.run(INSERT_COMMENT, id, postId, content, status, createdAt);
    tx.run('UPDATE posts SET comment_count = comment_count + 1 WHERE id = ?', postId);
    return;
  }
  const known = {
    content: comment.content ?? content,
    status: comment.status === 'pending' ? status : comment.status,
    createdAt: comment.createdAt ?? createdAt,
  };
  if (known.content === comment.content && known.status === comment.status && known.createdAt === comment.createdAt)
    return;
  advance(tx);
  tx.run(UPDATE_COMMENT, known.content, known.status, known.createdAt, id);
}

/** Each change has a revision of its own. To get it by RETURNING would take three times as long. */
function advance(tx: Tx): void {
  tx.run('UPDATE model SET revision = revision + 1');
}
