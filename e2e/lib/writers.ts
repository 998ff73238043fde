// Writes posts and comments, and records the acknowledged ones, which a test must find again.
import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { Write } from './checker.ts';
import { type Answer, get, idOf, type Post, post, readModel } from './http.ts';
import type { System } from './system.ts';

export type Written = { id: string; title: string; comments: { id: string; content: string; status: string }[] };

const BANNED = 'orange';
/** A writer's pause before a retry, and its deadline, in milliseconds. */
const AGAIN = 25;
const PATIENCE = 100_000;

/** Sends a request, always with the same key, until it is acknowledged. `refusals` collects all other answers. */
async function acknowledged(url: string, body: object, refusals: string[]): Promise<Answer['body']> {
  const headers = { 'idempotency-key': randomUUID() };
  for (const end = performance.now() + PATIENCE; ; ) {
    const answer = await post(url, body, headers).catch(() => undefined);
    if (answer?.status === 201) return answer.body;
    if (answer) refusals.push(`${answer.status} ${answer.body?.detail}`);
    if (performance.now() > end) throw new Error(`never acknowledged: ${url}, at last ${refusals.at(-1)}`);
    await pause(AGAIN);
  }
}

/** Writes one more comment on a post; one in five has the banned word. */
export async function writeComment(
  system: System,
  { id: postId, title, comments }: Written,
  refusals: string[] = [],
  heard?: () => void,
): Promise<void> {
  const banned = Math.random() < 0.2;
  const content = `comment ${comments.length} on ${title}${banned ? `, with ${BANNED}` : ''}`;
  const url = `${system.url('comments')}/posts/${postId}/comments`;
  const id = idOf(await acknowledged(url, { content }, refusals), content);
  comments.push({ id, content, status: banned ? 'rejected' : 'approved' });
  heard?.();
}

/** Writes one post and its comments. */
export async function writePost(
  system: System,
  title: string,
  comments = 4,
  refusals: string[] = [],
  heard?: () => void,
): Promise<Written> {
  const { id } = await acknowledged(`${system.url('posts')}/posts`, { title }, refusals);
  const written: Written = { id, title, comments: [] };
  heard?.();
  for (let n = 0; n < comments; n++) await writeComment(system, written, refusals, heard);
  return written;
}

let crowds = 0;

/** Starts concurrent writers, each with one post after another, until told to stop. */
export function startWriters(system: System, count: number) {
  crowds += 1;
  const crowd = crowds;
  const posts: Written[] = [];
  const refusals: string[] = [];
  let going = true;
  let acknowledged = 0;
  let latest = performance.now();
  let longest = 0;
  const heard = () => {
    const now = performance.now();
    longest = Math.max(longest, now - latest);
    latest = now;
    acknowledged += 1;
  };
  const write = async (writer: number) => {
    for (let n = 0; going; n++)
      posts.push(await writePost(system, `post ${n} of writer ${writer} in crowd ${crowd}`, 4, refusals, heard));
  };
  const writing = Promise.all(Array.from({ length: count }, (_, writer) => write(writer)));
  writing.catch(() => {}); // reported by stop()
  return {
    posts,
    refusals,
    /** The number of acknowledged writes. */
    acknowledgements: () => acknowledged,
    /** The longest time without an acknowledged write since the last call, in milliseconds. */
    longestStop(): number {
      const was = Math.max(longest, performance.now() - latest);
      longest = 0;
      return was;
    },
    async stop(): Promise<void> {
      going = false;
      await writing;
    },
  };
}

/** The posts and comments as the checker's writes. */
export const writesOf = (posts: Written[]): Write[] =>
  posts.flatMap(({ id: postId, title, comments }): Write[] => [
    { kind: 'post', id: postId, text: title, key: postId, outcome: 'acknowledged' },
    ...comments.map(
      ({ id, content }): Write => ({ kind: 'comment', id, postId, text: content, key: id, outcome: 'acknowledged' }),
    ),
  ]);

const byId = (a: { id: string }, b: { id: string }) => (a.id < b.id ? -1 : 1);

/** The expected read model and the actual one, as lists that can be compared. */
export const expected = (posts: Written[]): Written[] => [...posts].sort(byId);
export const shown = (posts: Post[]): Written[] =>
  posts
    .map(({ id, title, comments }) => ({
      id,
      title,
      comments: comments.map(({ id, content, status }) => ({ id, content, status })),
    }))
    .sort(byId);

/** A list in its order, without the sequence numbers, which may have gaps and differ after a loss. */
const inOrder = (items: object) => Object.values(items).map(({ seq, ...item }) => item);

export const commentsOf = async (system: System, postId: string) =>
  (await get(`${system.url('comments')}/posts/${postId}/comments`)).body;

/** The services' answers about these posts, and the log. */
export async function everything(system: System, posts: Written[]) {
  return {
    posts: inOrder((await get(`${system.url('posts')}/posts`)).body),
    comments: (await Promise.all(posts.map(({ id }) => commentsOf(system, id)))).map(inOrder),
    readModel: await readModel(system.url('query')),
    log: await system.log(),
  };
}
