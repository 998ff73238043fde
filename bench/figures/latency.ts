// The latency from a comment's 201 to the arrival of its verdict at a listener, at a steady rate of writes.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { post, until } from '../../e2e/lib/http.ts';
import { openStream } from '../../e2e/lib/stream.ts';
import type { Figure, Run, Values } from '../figure.ts';
import { percentile } from '../load.ts';
import { keep, startNaive, startOurs } from '../processes.ts';
import { writeSteadily } from '../steady.ts';

/** The time in milliseconds after the last write for which verdicts are awaited; then they count as missing. */
const PATIENCE = 5_000;
const RATES = [20, 100];
/** The number of posts commented on: the naive side answers each comment with all comments of its post. */
const POSTS = 20;

type Comment = { id: string; status?: string };
type Listener = { url(part: string): string; verdictOf(id: string): number | undefined };

/** Records the arrival of each comment's first verdict. */
function createListener() {
  const verdicts = new Map<string, number>();
  return {
    hear({ id, status }: Comment, at = performance.now()) {
      if (status && status !== 'pending' && !verdicts.has(id)) verdicts.set(id, at);
    },
    verdictOf: (id: string) => verdicts.get(id),
  };
}

/** Listens to query's stream. */
async function listenToOurs(directory: string): Promise<Listener> {
  const { url } = await startOurs(directory);
  const { hear, verdictOf } = createListener();
  const { messages } = await openStream(`${url('query')}/stream`);
  const heard = () => {
    for (const { at, data } of messages.splice(0)) for (const comment of data.comments ?? []) hear(comment, at);
  };
  return {
    url,
    verdictOf: (id) => {
      heard();
      return verdictOf(id);
    },
  };
}

/**
 * Naive has no stream, and its page reads once. So the listener subscribes to its bus, in the place of the posts
 * service, which ignores events: it gets a verdict at the same time as query, before query shows it.
 */
async function listenToNaive(): Promise<Listener> {
  const { hear, verdictOf } = createListener();
  const server = createServer(async (req, res) => {
    const { type, data } = JSON.parse(Buffer.concat(await req.toArray()).toString());
    if (type === 'CommentUpdated') hear(data);
    res.end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  await keep(Promise.resolve({ stop: async () => server.close().closeAllConnections() }));
  const { port } = server.address() as AddressInfo;
  return { ...(await startNaive({ POSTS_URL: `http://127.0.0.1:${port}` })), verdictOf };
}

async function measure({ side, directory, quick }: Run): Promise<Values> {
  const { url, verdictOf } = await (side === 'ours' ? listenToOurs(directory) : listenToNaive());
  const create = async () => (await post(`${url('posts')}/posts`, { title: 'a post' })).body.id as string;
  const postIds = await Promise.all(Array.from({ length: POSTS }, create));
  const values: Values = {};
  for (const rate of RATES) {
    const answered = await writeSteadily(url('comments'), postIds, rate, quick ? 2 : 10);
    const ids = [...answered.keys()];
    const all = () => ids.every((id) => verdictOf(id) !== undefined);
    await until('every verdict has come', all, PATIENCE).catch(() => {}); // the others count as missing
    const times = Array.from(answered, ([id, at]) => Math.max(0, (verdictOf(id) ?? Number.POSITIVE_INFINITY) - at));
    values[`p50 at ${rate}/s`] = percentile(times, 50);
    values[`p99 at ${rate}/s`] = percentile(times, 99);
    values[`never at ${rate}/s`] = times.filter((time) => time === Number.POSITIVE_INFINITY).length;
  }
  return values;
}

const at = (rate: number) => ({
  [`p50 at ${rate}/s`]: 'ms',
  [`p99 at ${rate}/s`]: 'ms',
  [`never at ${rate}/s`]: 'verdicts',
});

export const latency: Figure = {
  name: 'latency',
  title: "from a comment's 201 to its verdict at a reader of query's stream (naive: at a subscriber of its bus)",
  sides: ['naive', 'ours'],
  units: Object.assign({}, ...RATES.map(at)),
  measure,
  goals: [
    { text: 'p50 at 100 writes/s, ms', of: ({ ours }) => ours?.['p50 at 100/s'], atMost: 15 },
    { text: 'p99 at 100 writes/s, ms', of: ({ ours }) => ours?.['p99 at 100/s'], atMost: 50 },
  ],
};
