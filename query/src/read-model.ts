import type { Tx } from '@blog/common/database.ts';
import type { Status } from '@blog/common/events.ts';
import { unknownCursor } from '@blog/common/lists.ts';

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

/** How many comments a post carries in a list. */
export const EMBEDDED = 50;

const POST = 'id, title, created_at AS createdAt, seq, comment_count AS commentCount';
const COMMENT = 'id, post_id AS postId, content, status, created_at AS createdAt, seq';

/** The place in this database's history: `<database>-<revision>`. */
export function streamPosition(tx: Tx): string {
  const model = tx.get<{ id: string; revision: number }>('SELECT id, revision FROM model');
  return `${model?.id}-${model?.revision}`;
}

/** A page of posts, one more than it shows, and as it is answered: by id, and where a stream goes on from it. */
export type List = { posts: FullPost[]; json: Buffer; position: string };

export function readList(tx: Tx, limit: number, cursor?: string): List {
  const posts = listPosts(tx, limit, cursor);
  const byId = Object.fromEntries(posts.slice(0, limit).map((post) => [post.id, post]));
  return { posts, json: Buffer.from(JSON.stringify(byId)), position: streamPosition(tx) };
}

/** One more post than `limit`, newest first, behind the post `cursor`; each with its first comments. */
export function listPosts(tx: Tx, limit: number, cursor?: string): FullPost[] {
  const seen = cursor
    ? tx.get<{ seq: number }>('SELECT seq FROM posts WHERE id = ?', cursor)
    : { seq: Number.MAX_SAFE_INTEGER };
  if (!seen) throw unknownCursor();
  const posts = tx.all<Post>(`SELECT ${POST} FROM posts WHERE seq < ? ORDER BY seq DESC LIMIT ?`, seen.seq, limit + 1);
  const full: FullPost[] = [];
  for (const post of posts) full.push({ ...post, comments: commentsOf(tx, post.id, 0, EMBEDDED) });
  return full;
}

/** One post with one more comment than `limit`, in the order they were written, behind the comment `cursor`. */
export function getPost(tx: Tx, id: string, limit: number, cursor?: string): FullPost | undefined {
  const post = findPost(tx, id);
  if (!post) return undefined;
  const seen = cursor
    ? tx.get<{ seq: number }>('SELECT seq FROM comments WHERE id = ? AND post_id = ?', cursor, id)
    : { seq: 0 };
  if (!seen) throw unknownCursor();
  return { ...post, comments: commentsOf(tx, id, seen.seq, limit + 1) };
}

export const findPost = (tx: Tx, id: string) => tx.get<Post>(`SELECT ${POST} FROM posts WHERE id = ?`, id);

const commentsOf = (tx: Tx, postId: string, after: number, limit: number) =>
  tx.all<Comment>(
    `SELECT ${COMMENT} FROM comments WHERE post_id = ? AND seq > ? ORDER BY seq LIMIT ?`,
    postId,
    after,
    limit,
  );

/** Posts and comments changed after `revision`, in the order of their changes, at most `limit` of each. */
export function changesAfter(tx: Tx, revision: number, limit: number) {
  return {
    posts: tx.all<Post & { revision: number }>(
      `SELECT ${POST}, revision FROM posts WHERE revision > ? ORDER BY revision LIMIT ?`,
      ...[revision, limit],
    ),
    comments: tx.all<Comment & { revision: number }>(
      `SELECT ${COMMENT}, revision FROM comments WHERE revision > ? ORDER BY revision LIMIT ?`,
      ...[revision, limit],
    ),
  };
}
