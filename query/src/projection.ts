// The projection: builds the read model from events.
import type { Handlers, Verdict } from '@blog/common/core/events.ts';
import { fillIn, lacks } from '@blog/common/core/rows.ts';
import type { Tx } from '@blog/common/core/sqlite.ts';
import { COMMENT, POST } from './read-model.ts';

/** Each change has a revision of its own: the next one. */
const NEXT = '(SELECT revision + 1 FROM model)';
const marks = (fields: readonly string[]) => fields.map(() => '?');

const STORE_POST = `INSERT INTO posts (id, ${POST}, commentCount, revision) VALUES (?, ${marks(POST)}, ?, ${NEXT})
  ON CONFLICT (id) DO UPDATE SET ${fillIn(POST)}, revision = excluded.revision WHERE ${lacks(POST)}`;
const FILLED = COMMENT.filter((field) => field !== 'status');
const STORE_COMMENT = `INSERT INTO comments (id, postId, ${COMMENT}, revision) VALUES (?, ?, ${marks(COMMENT)}, ${NEXT})
  ON CONFLICT (id) DO UPDATE SET ${fillIn(FILLED)}, revision = excluded.revision,
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
    storeComment(tx, { ...data, createdAt: data.createdAt ?? time });
  },
  CommentUpdated(tx, { data }) {
    storeComment(tx, data);
  },
};

type PostData = { id: string } & { [field in (typeof POST)[number]]?: string };
type CommentData = { id: string; postId: string; content?: string; createdAt?: string; status?: Verdict };

function storePost(tx: Tx, post: PostData): void {
  const isKnown = tx.get('SELECT 1 FROM posts WHERE id = ?', post.id) !== undefined;
  // Comments that were here first are shown from now on, so they count as changed.
  const early = isKnown
    ? []
    : tx.all<{ seq: number }>('SELECT seq FROM comments WHERE postId = ? ORDER BY seq', post.id);
  advanceIf(tx, tx.run(STORE_POST, post.id, ...POST.map((field) => post[field] ?? null), early.length));
  for (const { seq } of early) advanceIf(tx, tx.run(`UPDATE comments SET revision = ${NEXT} WHERE seq = ?`, seq));
}

function storeComment(tx: Tx, comment: CommentData): void {
  const isKnown = tx.get('SELECT 1 FROM comments WHERE id = ?', comment.id) !== undefined;
  const given = { ...comment, status: comment.status ?? 'pending' };
  advanceIf(tx, tx.run(STORE_COMMENT, given.id, given.postId, ...COMMENT.map((field) => given[field] ?? null)));
  if (!isKnown) tx.run('UPDATE posts SET commentCount = commentCount + 1 WHERE id = ?', given.postId);
}

/** To get a revision by RETURNING would take three times as long. */
function advanceIf(tx: Tx, { changes }: { changes: number }): void {
  if (changes > 0) tx.run('UPDATE model SET revision = revision + 1');
}
