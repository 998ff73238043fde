// Requests to posts, comments and query, and the shapes of their answers.

import { hasNext, RequestError, read, request } from '../shared/http.ts';
import { noteAnswered, noteSent } from '../shared/journey-notes.ts';
import { authorOf, fieldsOf, itemsOf, numberOf, oneOf, parseJson, textOf } from '../shared/parse.ts';
import {
  type Comment,
  createPost,
  type Message,
  type Post,
  type PostList,
  type PostPage,
  type Texts,
} from './types.ts';

/** Reads the newest posts, or the ones after the post `cursor`. */
export async function readPosts(cursor?: string): Promise<PostList> {
  const { data, headers } = await read({ url: '/posts', params: { cursor } });
  return {
    // Number-like keys move to the front of a JavaScript object, so only seq tells the order.
    posts: itemsOf(data, parsePost).sort((a, b) => b.post.seq - a.post.seq),
    hasNext: hasNext(headers),
    position: textOf(headers['stream-position']) || undefined,
  };
}

/** Reads one post with its first comments, or with those after the comment `cursor`. */
export async function readPost(id: string, cursor?: string): Promise<PostPage> {
  const { data, headers } = await read({ url: `/posts/${encodeURIComponent(id)}`, params: { cursor } });
  const page = parsePost(data);
  if (!page) throw new RequestError('the answer is not a post');
  return { ...page, hasNext: hasNext(headers) };
}

/**
 * Publishes a post, or a comment on the post `postId`; sending the same key and texts again gives the first answer. A
 * foreign service may answer with less than an id.
 */
export async function publish(
  postId: string | undefined,
  texts: Texts,
  key: string,
  signal: AbortSignal,
): Promise<{ id: string | undefined } & Pick<Post, 'createdAt' | 'author'>> {
  const url = postId === undefined ? '/posts' : `/posts/${encodeURIComponent(postId)}/comments`;
  // Each write has a trace of its own (W3C Trace Context §3.2), and a retry continues it. `01` means sampled.
  const headers = { 'Idempotency-Key': key, traceparent: `00-${key}-${key.slice(16)}-01` };
  if (postId !== undefined) noteSent(key);
  const { data } = await request({ method: 'POST', url, data: texts, headers, signal });
  // Such as the login page of a network or a proxy: no service got what was typed.
  if (typeof data === 'string' && /^\s*<(!doctype|html)/i.test(data)) throw new RequestError('the answer is a page');
  const answer = fieldsOf(data);
  const id = textOf(answer.id) || undefined;
  const createdAt = textOf(answer.createdAt) ?? null;
  if (postId !== undefined) noteAnswered(key, id, createdAt);
  return { id, createdAt, author: authorOf(answer.author) };
}

/** Parses a message of the stream; undefined if it is none. */
export function parseMessage(text: string): Message | undefined {
  const { post, comments, more } = fieldsOf(parseJson(text));
  const page = parsePost({ ...fieldsOf(post), comments });
  return page && { ...page, ...(more === true && { more }) };
}

/** Foreign read models may send only ids, titles, contents and statuses. Their order then counts as `seq`. */
function parsePost(value: unknown, at = 0): Omit<PostPage, 'hasNext'> | undefined {
  const fields = fieldsOf(value);
  const id = textOf(fields.id);
  if (!id) return undefined;
  const comments = itemsOf(fields.comments, (comment, at) => parseComment(comment, id, at));
  return {
    post: createPost(id, fields, at, comments.length),
    comments: comments.sort((one, other) => one.seq - other.seq),
  };
}

function parseComment(value: unknown, postId: string, at: number): Comment | undefined {
  const { content, status = 'approved', createdAt, seq, ...rest } = fieldsOf(value);
  const id = textOf(rest.id);
  if (!id) return undefined;
  return {
    id,
    postId,
    content: textOf(content) ?? null,
    // An unknown status does not permit showing the text.
    status: oneOf(status, ['pending', 'approved', 'rejected'] as const, 'pending'),
    createdAt: textOf(createdAt) ?? null,
    author: authorOf(rest.author),
    seq: numberOf(seq) ?? at,
  };
}
