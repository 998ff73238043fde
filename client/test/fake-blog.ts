// Fakes of the gateway's blog routes and of the browser's EventSource.

import { type AxiosAdapter, AxiosError } from 'axios';
import { type Comment, createPost, type Message, type Post, type Status } from '../src/blog/types.ts';

let count = 0;

export function aPost(seq: number, more: Partial<Post> = {}): Post {
  const known = { title: `Title ${seq}`, createdAt: '2026-01-02T03:04:05Z' };
  return { ...createPost(`post-${seq}`, known, seq), ...more };
}

export function aComment(seq: number, status: Status = 'approved', more: Partial<Comment> = {}): Comment {
  const createdAt = '2026-01-02T03:04:06Z';
  return { id: `comment-${seq}`, postId: 'post-1', content: `Text ${seq}`, status, createdAt, seq, ...more };
}

/** Messages as the stream carries them. */
export function aMessage(post: Post, comments: Comment[] = [], more?: true): Message {
  return { post, comments, ...(more && { more }) };
}

/** A fake EventSource, whose server is the test. */
export class FakeEventSource extends EventTarget {
  static opened: FakeEventSource[] = [];
  static get last(): FakeEventSource {
    const source = FakeEventSource.opened.at(-1);
    if (!source) throw new Error('no stream was opened');
    return source;
  }

  readonly url: string;
  closed = false;
  lastEventId = '';
  onopen: (() => void) | null = null;
  onerror: (() => void) | null = null;
  onmessage: ((event: MessageEvent<string>) => void) | null = null;

  constructor(url: string) {
    super();
    this.url = url;
    FakeEventSource.opened.push(this);
  }

  close() {
    this.closed = true;
  }
  open() {
    this.onopen?.();
  }
  fail() {
    this.onerror?.();
  }
  reset() {
    this.dispatchEvent(new Event('reset'));
  }
  /** Sends the messages of one group; only the last has an id. */
  send(id: string, ...messages: object[]) {
    messages.forEach((message, index) => {
      if (index === messages.length - 1) this.lastEventId = id;
      this.onmessage?.(new MessageEvent('message', { data: JSON.stringify(message), lastEventId: this.lastEventId }));
    });
  }
}

export type Answer = { status?: number; body?: unknown; headers?: Record<string, string> };
type Sent = {
  method: string;
  path: string;
  key: string | null;
  traceparent: string;
  body: Record<string, string> | undefined;
};

/** A fake gateway: lists what it is given, and answers POST as the test defines. */
export class FakeBlog {
  posts: { post: Post; comments: Comment[] }[] = [];
  sent: Sent[] = [];
  pageSize = 50;
  /** Answers a POST; also a GET, unless it returns undefined. */
  onPost: (sent: Sent) => Answer | Promise<Answer> = () => ({ status: 201, body: { id: `made-${++count}` } });
  onGet: (path: string) => Answer | undefined | Promise<Answer | undefined> = () => undefined;

  /** Replaces the adapter with which axios sends. */
  readonly adapter: AxiosAdapter = async (config) => {
    const { method, url = '', params, headers, data } = config;
    const key = headers.get('Idempotency-Key') as string | null;
    const sent = { method: 'POST', path: url, key, traceparent: String(headers.get('traceparent')) };
    const read = async () => (await this.onGet(url)) ?? this.read(decodeURIComponent(url), params?.cursor ?? null);
    const write = async () => {
      this.sent.push({ ...sent, body: data && JSON.parse(data) });
      return this.onPost(this.sent.at(-1) as Sent);
    };
    const { status = 200, body = {}, headers: answered = {} } = await (method === 'post' ? write() : read());
    const response = { status, statusText: '', data: body, headers: answered, config };
    if (status < 300) return response;
    throw new AxiosError(`answered ${status}`, undefined, config, null, response);
  };

  private read(path: string, cursor: string | null): Answer {
    if (path === '/posts') {
      const all = [...this.posts].sort((a, b) => b.post.seq - a.post.seq);
      const { items, headers } = this.page(all, cursor, (item) => item.post.id);
      const body = Object.fromEntries(
        items.map(({ post, comments }) => [post.id, { ...post, comments: comments.slice(0, this.pageSize) }]),
      );
      return { body, headers: { ...headers, 'stream-position': 'db-1' } };
    }
    const found = this.posts.find(({ post }) => path === `/posts/${post.id}`);
    if (!found) return { status: 404 };
    const { items, headers } = this.page(found.comments, cursor, (comment) => comment.id);
    return { body: { ...found.post, comments: items }, headers };
  }

  private page<T>(all: T[], cursor: string | null, idOf: (item: T) => string) {
    const start = cursor === null ? 0 : all.findIndex((item) => idOf(item) === cursor) + 1;
    const items = all.slice(start, start + this.pageSize);
    const headers: Record<string, string> = start + this.pageSize < all.length ? { link: '</next>; rel="next"' } : {};
    return { items, headers };
  }
}
