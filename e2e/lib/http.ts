// A small HTTP client for tests: JSON in and out, with status and headers, and lists read to their end.

export { until } from '../../scripts/lib/until.ts';

// biome-ignore lint/suspicious/noExplicitAny: a test says by its expectations what a body is
export type Answer<Body = any> = { status: number; headers: Headers; body: Body };
export type Sent = { method?: string; body?: unknown; headers?: Record<string, string>; within?: number };

/**
 * Sends one request; a body is sent as JSON, and a JSON answer is parsed. Throws if there is no answer within `within`
 * milliseconds.
 */
export async function request(
  url: string,
  { method = 'GET', body, headers, within = 30_000 }: Sent = {},
): Promise<Answer> {
  const json = body === undefined ? undefined : { 'content-type': 'application/json' };
  const sent = {
    method,
    headers: { ...json, ...headers },
    body: body === undefined ? undefined : JSON.stringify(body),
  };
  const answer = await fetch(url, { ...sent, redirect: 'manual', signal: AbortSignal.timeout(within) });
  const text = await answer.text();
  const isJson = /[/+]json/.test(answer.headers.get('content-type') ?? '');
  return { status: answer.status, headers: answer.headers, body: isJson ? JSON.parse(text) : text };
}

export const get = (url: string, headers?: Sent['headers']) => request(url, { headers });
export const post = (url: string, body?: unknown, headers?: Sent['headers']) =>
  request(url, { method: 'POST', body, headers });

/** The pages of a list, following their `Link`. */
export async function pages(first: string): Promise<Answer['body'][]> {
  const bodies: Answer['body'][] = [];
  for (let url: string | undefined = first; url; ) {
    const { status, headers, body }: Answer = await get(url);
    if (status !== 200) throw new Error(`${url} answered ${status}`);
    bodies.push(body);
    const next: string | undefined = /^<([^>]+)>; rel="next"$/.exec(headers.get('link') ?? '')?.[1];
    url = next && new URL(next, url).href;
  }
  return bodies;
}

export type Comment = { id: string; content: string; status: string; seq: number };
export type Post = { id: string; title: string; seq: number; commentCount: number; comments: Comment[] };

/** Everything that query shows: all posts in order, with all of their comments. */
export async function readModel(query: string): Promise<Post[]> {
  const posts = (await pages(`${query}/posts`)).flatMap((page) => Object.values(page) as Post[]);
  for (const shown of posts) {
    if (!(shown.commentCount > shown.comments.length)) continue;
    shown.comments = (await pages(`${query}/posts/${shown.id}`)).flatMap(({ comments }) => comments);
  }
  return posts;
}

/** The id of the post or comment just made. The classic comments service answers with all comments of the post. */
// biome-ignore lint/suspicious/noExplicitAny: the answer of any part
export const idOf = (body: any, text: string): string =>
  (Array.isArray(body) ? body.findLast(({ content }) => content === text) : body).id;
