import { request } from './http.ts';
import { traceparentFor } from './idempotency-key.ts';
import { noteAnswered, noteSent } from './journey-notes.ts';
import type { Comment, Post, PostList, PostPage } from './types.ts';

/** A read model of somebody else's may know ids, titles, contents and statuses only, and lists in the order written. */
type WirePost = Pick<Post, 'id'> & Partial<Post> & { comments?: (Pick<Comment, 'id'> & Partial<Comment>)[] };

/** Reads the newest posts, or the ones after the post `cursor`. */
export async function readPosts(cursor?: string): Promise<PostList> {
  const { data, headers } = await request<Record<string, WirePost>>({ url: '/posts', params: { cursor } });
  return {
    // Number-like keys move to the front of a JavaScript object, so only seq tells the order.
    posts: Object.values(data)
      .map((post, index) => split(post, index))
      .sort((a, b) => b.post.seq - a.post.seq),
    hasNext: hasNext(headers.link),
    position: headers['stream-position'],
  };
}

/** Reads one post with its first comments, or with those after the comment `cursor`. */
export async function readPost(id: string, cursor?: string): Promise<PostPage> {
  const url = `/posts/${encodeURIComponent(id)}`;
  const { data, headers } = await request<WirePost>({ url, params: { cursor } });
  return { ...split(data), hasNext: hasNext(headers.link) };
}

export type Created = { id: string; createdAt: string | null };

/** Publishes a post; sending the same key and title again gives the first answer. */
export const sendPost = (title: string, key: string, signal: AbortSignal) => send('/posts', { title }, key, signal);

/** Publishes a comment; sending the same key and text again gives the first answer. */
export async function sendComment(postId: string, content: string, key: string, signal: AbortSignal) {
  noteSent(key);
  const created = await send(`/posts/${encodeURIComponent(postId)}/comments`, { content }, key, signal);
  noteAnswered(key, created);
  return created;
}

async function send(url: string, data: object, key: string, signal: AbortSignal): Promise<Created> {
  const headers = { 'Idempotency-Key': key, traceparent: traceparentFor(key) };
  const config = { method: 'POST', url, data, headers, signal };
  const { data: created } = await request<Partial<Created> & { id: string }>(config);
  return { id: created.id, createdAt: created.createdAt ?? null };
}

function split(wire: WirePost, index = 0): Omit<PostPage, 'hasNext'> {
  const { id, title = null, createdAt = null, seq = index, comments = [], commentCount = comments.length } = wire;
  return {
    post: { id, title, createdAt, seq, commentCount },
    comments: comments
      .map((comment, at) => ({ ...BARE, postId: id, seq: at, ...comment }))
      .sort((one, other) => one.seq - other.seq),
  };
}

const BARE = { content: null, status: 'approved', createdAt: null } as const;

function hasNext(link: unknown): boolean {
  return /;\s*rel="?next"?/i.test(String(link ?? ''));
}
