// The list that the page reads, next to a bare route that sends the same bytes.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { writePost } from '../../e2e/lib/writers.ts';
import { watchCost } from '../cost.ts';
import { type Figure, type Run, ratio, type Values } from '../figure.ts';
import { putLoad } from '../load.ts';
import { startOurs, startServer } from '../processes.ts';

const CONCURRENCY = 64;
const POSTS = 50;
const COMMENTS = 6;

/** Starts query with a full page of posts. */
async function startQuery(directory: string) {
  const { system, url, pids } = await startOurs(directory);
  for (let n = 0; n < POSTS; n += 10)
    await Promise.all(Array.from({ length: 10 }, (_, i) => writePost(system, `post ${n + i}`, COMMENTS)));
  await system.quiet();
  return { system, url: url('query'), pids };
}

/** Starts a route that sends query's answer; query itself has ended by then. */
async function startBare(directory: string) {
  const { system, url } = await startQuery(directory);
  const answer = await fetch(`${url}/posts`);
  const file = join(directory, 'list.json');
  writeFileSync(file, Buffer.from(await answer.arrayBuffer()));
  await system.stop();
  const bare = await startServer('bench/bare.ts', { BYTES: file, TYPE: answer.headers.get('content-type') ?? '' });
  return { url: bare.url, pids: [bare.pid] };
}

async function measure({ side, directory, quick }: Run): Promise<Values> {
  const { url, pids } = await (side === 'ours' ? startQuery(directory) : startBare(directory));
  const { length } = await (await fetch(`${url}/posts`)).text();
  const cost = watchCost(pids);
  const {
    requests,
    refused,
    began,
    ended,
    p50,
    p99,
    cost: load,
  } = await putLoad({
    kind: 'reads',
    url: `${url}/posts`,
    concurrency: CONCURRENCY,
    ms: quick ? 2_000 : 8_000,
  });
  const { processor } = cost.stop();
  const not = Object.values(refused).reduce((sum, times) => sum + times, 0);
  if (not === requests) throw new Error(`every read was refused: ${JSON.stringify(refused)}`);
  const read = requests - not;
  const values: Values = { rate: read / ((ended - began) / 1_000), p50, p99, refused: not, bytes: length, load };
  if (processor !== undefined) values.read = (processor * 1_000) / read;
  return values;
}

export const reads: Figure = {
  name: 'reads',
  title: `GET /posts of query, ${POSTS} posts with ${COMMENTS} comments each, ${CONCURRENCY} clients`,
  sides: ['bare', 'ours'],
  units: {
    rate: 'reads/s',
    p50: 'ms',
    p99: 'ms',
    read: 'µs of processor time',
    refused: 'reads not answered 200',
    bytes: 'of an answer',
    load: 'µs of the load generator a read',
  },
  measure,
  goals: [
    { text: 'reads/s of ours by a bare route', of: ({ ours, bare }) => ratio(ours?.rate, bare?.rate), atLeast: 0.7 },
  ],
};
