// The reads of the read model: lists of posts, one post, and the changes in them.
import { randomUUID } from 'node:crypto';
import { type Checkpoint, NEW, positionOf } from '@blog/common/core/checkpoint.ts';
import type { Author, Status } from '@blog/common/core/events.ts';
import { firstOf, type Rows, seqOf, withAuthor, withAuthors } from '@blog/common/core/rows.ts';
import type { Tx } from '@blog/common/core/sqlite.ts';

/** The fields that events tell of a post and of a comment, besides the ids: columns, and what is answered. */
export const POST = ['title', 'createdAt', 'author'] as const;
export const COMMENT = ['content', 'status', 'createdAt', 'author'] as const;

type Told<Field extends string> = { id: string; seq: number; author?: Author } & {
  [field in Exclude<Field, 'author'>]: string | null;
};
export type Post = Told<(typeof POST)[number]> & { commentCount: number };
export type Comment = Told<(typeof COMMENT)[number]> & { postId: string; status: Status };
type FullPost = Post & { comments: Comment[] };

/** The maximum of comments that a post carries in a list, and of their JSON, in characters: fifty of ours always fit. */
export const EMBEDDED = 50;
const EMBEDDED_TEXT = 640 * 1024;

const SELECT_POST = `SELECT id, ${POST}, seq, commentCount FROM posts`;
const SELECT_COMMENT = `SELECT id, postId, ${COMMENT}, seq FROM comments`;

/**
 * Names the read model after the log (its checksum at position 0), from which it is built: each copy that has applied the same
 * events in the log's order has the same rows, with the same revisions. One that was changed otherwise gets a name of its own.
 */
export function nameModel(tx: Tx, after: Checkpoint | undefined, isInOrder: boolean): void {
  if (after && positionOf(after) === 0 && after !== NEW)
    tx.run('UPDATE model SET id = ? WHERE revision = 0', after.slice(after.indexOf('-') + 1));
  if (!isInOrder) tx.run(`UPDATE model SET id = ? WHERE id NOT LIKE '%-%'`, randomUUID());
}

/** The position in the history of this read model: `<name>-<revision>`. */
export function streamPosition(tx: Tx): string {
  const model = tx.get<{ id: string; revision: number }>('SELECT id, revision FROM model');
  return `${model?.id}-${model?.revision}`;
}

/** A page of posts, and as it is answered: by id, and the position from which a stream goes on. */
export type List = Rows<FullPost> & { json: Buffer; position: string };

/** A page of posts, newest first, behind the post `cursor`; each with its first comments. */
export function readList(tx: Tx, limit: number, cursor?: string): List {
  const before = cursor ? seqOf(tx, 'SELECT seq FROM posts WHERE id = ?', cursor) : Number.MAX_SAFE_INTEGER;
  const sql = `${SELECT_POST} WHERE seq < ? ORDER BY seq DESC LIMIT ?`;
  const found = tx.each<Post>(sql, before, limit + 1).map(withAuthor);
  const list = firstOf(withComments(tx, found), limit);
  const byId = Object.fromEntries(list.rows.map((post) => [post.id, post]));
  return { ...list, json: Buffer.from(JSON.stringify(byId)), position: streamPosition(tx) };
}

function* withComments(tx: Tx, posts: Iterable<Post>): Generator<FullPost> {
  for (const post of posts)
    yield {
      ...post,
      comments: withAuthors(firstOf(commentsOf(tx, post.id, 0, EMBEDDED), EMBEDDED, EMBEDDED_TEXT)).rows,
    };
}

/** One post, and a page of its comments, in the order they were written, behind the comment `cursor`. */
export function getPost(tx: Tx, id: string, limit: number, cursor?: string) {
  const post = findPost(tx, id);
  if (!post) return undefined;
  const after = cursor ? seqOf(tx, 'SELECT seq FROM comments WHERE id = ? AND postId = ?', cursor, id) : 0;
  return {
    post,
    comments: withAuthors(firstOf(commentsOf(tx, id, after, limit + 1), limit)),
    position: streamPosition(tx),
  };
}

/** True if this is the id of a post or of a comment that is here. */
export const hasItem = (tx: Tx, id: string): boolean =>
  tx.get('SELECT 1 FROM posts WHERE id = ?1 UNION ALL SELECT 1 FROM comments WHERE id = ?1', id) !== undefined;

function findPost(tx: Tx, id: string): Post | undefined {
  const post = tx.get<Post>(`${SELECT_POST} WHERE id = ?`, id);
  return post && withAuthor(post);
}

const commentsOf = (tx: Tx, postId: string, after: number, limit: number) =>
  tx.each<Comment>(`${SELECT_COMMENT} WHERE postId = ? AND seq > ? ORDER BY seq LIMIT ?`, postId, after, limit);

const CHANGED = `SELECT revision, id AS postId, NULL AS comment FROM posts WHERE revision > ?
  UNION ALL SELECT revision, postId, seq FROM comments WHERE revision > ?
  ORDER BY revision`;

/** The rows changed after `revision`, in the order of their changes: a post, or a comment and its post if that is here. */
export function* changesAfter(tx: Tx, revision: number) {
  for (const row of tx.each<{ revision: number; postId: string; comment: number | null }>(
    CHANGED,
    revision,
    revision,
  )) {
    const comment = row.comment === null ? undefined : tx.get<Comment>(`${SELECT_COMMENT} WHERE seq = ?`, row.comment);
    yield { revision: row.revision, post: findPost(tx, row.postId), comment: comment && withAuthor(comment) };
  }
}
