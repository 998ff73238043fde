import { request } from './http.ts';
import type { Comment, Post, PostList, PostPage } from './types.ts';

type WirePost = Post & { comments?: Comment[] };

/** Reads the newest posts, or the ones after the post `cursor`. */
export async function readPosts(cursor?: string): Promise<PostList> {
  const response = await request(withCursor('/posts', cursor));
  const body: Record<string, WirePost> = await response.json();
  return {
    // Number-like keys move to the front of a JavaScript object, so only seq tells the order.
    posts: Object.values(body)
      .map(split)
      .sort((a, b) => b.post.seq - a.post.seq),
    hasNext: hasNext(response),
    position: response.headers.get('stream-position') ?? undefined,
  };
}

/** Reads one post with its first comments, or with those after the comment `cursor`. */
export async function readPost(id: string, cursor?: string): Promise<PostPage> {
  const response = await request(withCursor(`/posts/${encodeURIComponent(id)}`, cursor));
  return { ...split(await response.json()), hasNext: hasNext(response) };
}

export type Created = { id: string; createdAt: string | null };

/** Publishes a post; sending the same key and title again gives the first answer. */
export const sendPost = (title: string, key: string) => send('/posts', { title }, key);

/** Publishes a comment; sending the same key and text again gives the first answer. */
export const sendComment = (postId: string, content: string, key: string) =>
  send(`/posts/${encodeURIComponent(postId)}/comments`, { content }, key);

async function send(path: string, body: object, key: string): Promise<Created> {
  const response = await request(path, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', 'Idempotency-Key': key },
    body: JSON.stringify(body),
  });
  const created: Partial<Created> & { id: string } = await response.json();
  return { id: created.id, createdAt: created.createdAt ?? null };
}

function split({ comments = [], ...post }: WirePost) {
  return { post, comments: [...comments].sort((a, b) => a.seq - b.seq) };
}

function withCursor(path: string, cursor?: string): string {
  return cursor === undefined ? path : `${path}?${new URLSearchParams({ cursor })}`;
}

function hasNext(response: Response): boolean {
  return /;\s*rel="?next"?/i.test(response.headers.get('link') ?? '');
}
