// The rate of posts and comments through all services, until the last verdict is in the read model.
import { setTimeout as pause } from 'node:timers/promises';
import { check, takeSnapshot, type Write } from '../../e2e/lib/checker.ts';
import { get, until } from '../../e2e/lib/http.ts';
import { watchCost } from '../cost.ts';
import { type Figure, ratio, type Values } from '../figure.ts';
import { type Ended, now, putLoad } from '../load.ts';
import { type Blog, startNaive, startOurs } from '../processes.ts';

const CONCURRENCY = 32;
/**
 * In milliseconds: the deadline of ours for the last verdict, and the time without a change after which naive is given
 * up.
 */
const DONE_WITHIN = 120_000;
const STILL = 5_000;
const STILL_WITHIN = 30_000;

/**
 * Measures either side: the load, and its cost until `settled` reports the end (and its time). Some of the same load
 * runs before as a warm-up, because V8 compiles code while it runs.
 */
async function measureWrites(blog: Blog, quick: boolean, settled: (ended: Ended) => Promise<number>) {
  const [posts, comments] = [blog.url('posts'), blog.url('comments')];
  const put = (name: string, ms: number) =>
    putLoad({ kind: 'blog', posts, comments, name, concurrency: CONCURRENCY, ms });
  const warm = await put('warming up', quick ? 1_000 : 5_000);
  const cost = watchCost(blog.pids);
  const ended = await put('measured', quick ? 3_000 : 10_000);
  const done = await settled({ ...ended, posts: warm.posts + ended.posts, comments: warm.comments + ended.comments });
  const { processor, memory } = cost.stop();
  const acknowledged = ended.posts + ended.comments;
  if (acknowledged === 0) throw new Error(`nothing was acknowledged: ${JSON.stringify(ended.refused)}`);
  const values: Values = {
    rate: acknowledged / ((done - ended.began) / 1_000),
    acknowledged,
    refused: ended.requests - acknowledged,
    p50: ended.p50,
    p99: ended.p99,
    behind: (done - ended.ended) / 1_000,
    load: ended.cost,
  };
  if (processor !== undefined) {
    values.write = (processor * 1_000) / acknowledged;
    values.comment = (processor * 1_000) / ended.comments;
  }
  if (memory !== undefined) values.memory = memory;
  return { values, writes: [...(await warm.writes()), ...(await ended.writes())] };
}

/** Measures ours, with additional settings for the parts. */
export async function measureOurs(directory: string, quick: boolean, env?: NodeJS.ProcessEnv): Promise<Values> {
  const blog = await startOurs(directory, env);
  /** Each post is one event, each comment three. Done when query's checkpoint is past the last one. */
  const settled = async ({ posts, comments }: Ended) => {
    const isDone = async () => Number.parseInt((await get(`${blog.url('query')}/events`)).body.checkpoint, 10);
    await until('query has every verdict', async () => (await isDone()) >= posts + 3 * comments, DONE_WITHIN);
    return now();
  };
  const { values, writes } = await measureWrites(blog, quick, settled);
  await blog.system.quiet();
  const violations = check(writes, await takeSnapshot(blog.system));
  if (violations.length > 0) throw new Error(violations.map(({ kind, count }) => `${kind}: ${count}`).join(', '));
  return { ...values, missing: 0 };
}

/**
 * Measures naive. It has no signal for being done: its read model is polled until it is complete, or nothing changes
 * any more.
 */
async function measureNaive(quick: boolean): Promise<Values> {
  const blog = await startNaive();
  const judged = async () => {
    const posts: { comments: { id: string; status: string }[] }[] = Object.values(
      (await get(`${blog.url('query')}/posts`)).body,
    );
    const comments = posts.flatMap((post) => post.comments).filter(({ status }) => status !== 'pending');
    return { posts: posts.length, comments: new Set(comments.map(({ id }) => id)) };
  };
  const settled = async ({ posts, comments, ended }: Ended) => {
    let changed = ended;
    let before = -1;
    for (;;) {
      const seen = await judged();
      const at = now();
      const there = seen.posts + seen.comments.size;
      if (there !== before) changed = at;
      before = there;
      if (there >= posts + comments || at - changed > STILL || at - ended > STILL_WITHIN) return changed;
      await pause(100);
    }
  };
  const { values, writes } = await measureWrites(blog, quick, settled);
  const { comments } = await judged();
  const isMissing = ({ kind, id }: Write) => kind === 'comment' && !comments.has(id as string);
  return { ...values, missing: writes.filter(isMissing).length };
}

export const writes: Figure = {
  name: 'writes',
  title: `${CONCURRENCY} clients, each a post and four comments on it, until the last verdict is in the read model`,
  sides: ['naive', 'ours'],
  units: {
    rate: 'acknowledged/s',
    p50: 'ms',
    p99: 'ms',
    write: 'µs of processor time',
    comment: 'µs of processor time',
    memory: 'MB at most, all five',
    behind: 's from the last answer to the last verdict',
    acknowledged: 'writes',
    refused: 'writes not answered 201',
    missing: 'comments without a verdict, or not there',
    load: 'µs of the load generator a request',
  },
  measure: ({ side, directory, quick }) => (side === 'ours' ? measureOurs(directory, quick) : measureNaive(quick)),
  goals: [
    {
      text: 'writes/s of ours by naive',
      of: ({ ours, naive }) => ratio(ours?.rate, naive?.rate),
      atLeast: 30,
    },
    { text: 'processor time of a comment, µs', of: ({ ours }) => ours?.comment, atMost: 300 },
    { text: 'p99 of a write, ms', of: ({ ours }) => ours?.p99, atMost: 50 },
    { text: 'p99 of ours by naive', of: ({ ours, naive }) => ratio(ours?.p99, naive?.p99), atMost: 0.1 },
    { text: 'memory of all five, MB', of: ({ ours }) => ours?.memory, atMost: 400 },
  ],
};
