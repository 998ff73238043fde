import type { Status } from '@blog/common/core/events.ts';
import { unknownCursor } from '@blog/common/core/problem.ts';
import { firstOf, type Rows } from '@blog/common/core/rows.ts';
import type { Tx } from '@blog/common/core/sqlite.ts';

export type Comment = {
  id: string;
  postId: string;
  content: string | null;
  status: Status;
  createdAt: string | null;
  seq: number;
};
export type Post = { id: string; title: string | null; createdAt: string | null; seq: number; commentCount: number };
export type FullPost = Post & { comments: Comment[] };

/** The maximum of comments that a post carries in a list, and of their text, in characters: fifty of ours fit. */
export const EMBEDDED = 50;
const EMBEDDED_TEXT = 256 * 1024;

const POST = 'id, title, created_at AS createdAt, seq, comment_count AS commentCount';
const COMMENT = 'id, post_id AS postId, content, status, created_at AS createdAt, seq';

/** The place in this database's history: `<database>-<revision>`. */
export function streamPosition(tx: Tx): string {
  const model = tx.get<{ id: string; revision: number }>('SELECT id, revision FROM model');
  return `${model?.id}-${model?.revision}`;
}

/** A page of posts, and as it is answered: by id, and the position from which a stream goes on. */
export type List = Rows<FullPost> & { json: Buffer; position: string };

export function readList(tx: Tx, limit: number, cursor?: string): List {
  const list = listPosts(tx, limit, cursor);
  const byId = Object.fromEntries(list.rows.map((post) => [post.id, post]));
  return { ...list, json: Buffer.from(JSON.stringify(byId)), position: streamPosition(tx) };
}

/** A page of posts, newest first, behind the post `cursor`; each with its first comments. */
export function listPosts(tx: Tx, limit: number, cursor?: string): Rows<FullPost> {
  const seen = cursor
    ? tx.get<{ seq: number }>('SELECT seq FROM posts WHERE id = ?', cursor)
    : { seq: Number.MAX_SAFE_INTEGER };
  if (!seen) throw unknownCursor();
  const posts = tx.each<Post>(`SELECT ${POST} FROM posts WHERE seq < ? ORDER BY seq DESC LIMIT ?`, seen.seq, limit + 1);
  return firstOf(withComments(tx, posts), limit);
}

function* withComments(tx: Tx, posts: Iterable<Post>): Generator<FullPost> {
  for (const post of posts)
    yield { ...post, comments: firstOf(commentsOf(tx, post.id, 0, EMBEDDED), EMBEDDED, EMBEDDED_TEXT).rows };
}

/** One post, and a page of its comments, in the order they were written, behind the comment `cursor`. */
export function getPost(tx: Tx, id: string, limit: number, cursor?: string) {
  const post = findPost(tx, id);
  if (!post) return undefined;
  const seen = cursor
    ? tx.get<{ seq: number }>('SELECT seq FROM comments WHERE id = ? AND post_id = ?', cursor, id)
    : { seq: 0 };
  if (!seen) throw unknownCursor();
  return { post, comments: firstOf(commentsOf(tx, id, seen.seq, limit + 1), limit) };
}

export const findPost = (tx: Tx, id: string) => tx.get<Post>(`SELECT ${POST} FROM posts WHERE id = ?`, id);

const commentsOf = (tx: Tx, postId: string, after: number, limit: number) =>
  tx.each<Comment>(
    `SELECT ${COMMENT} FROM comments WHERE post_id = ? AND seq > ? ORDER BY seq LIMIT ?`,
    postId,
    after,
    limit,
  );

/**
 * Posts and comments changed after `revision`, in the order of their changes: the first of each that fit. The title of a
 * comment's post counts as text of the comment, because the post is sent with it.
 */
export function changesAfter(tx: Tx, revision: number, limit: number, room: number) {
  const changed = <Row>(columns: string, table: string) => {
    const sql = `SELECT ${columns}, revision FROM ${table} WHERE revision > ? ORDER BY revision LIMIT ?`;
    return firstOf(tx.each<Row & { revision: number }>(sql, revision, limit + 1), limit, room);
  };
  const ofPost = '(SELECT title FROM posts WHERE posts.id = post_id) AS postTitle';
  return {
    posts: changed<Post>(POST, 'posts'),
    comments: changed<Comment & { postTitle: string | null }>(`${COMMENT}, ${ofPost}`, 'comments'),
  };
}
