// The rate at which the comments service alone acknowledges comments, next to the limit of one process that does the
// same work.
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { writePost } from '../../e2e/lib/writers.ts';
import { type Figure, type Run, ratio, type Values } from '../figure.ts';
import { type Ended, putLoad } from '../load.ts';
import { startOurs, startServer } from '../processes.ts';

const POSTS = 32;

/** The address for comments, the posts to comment on, and the database in which the comments must be stored. */
type Target = { comments: string; postIds: string[]; file: string };

async function startComments(directory: string): Promise<Target> {
  const { system, url } = await startOurs(directory);
  const posts = await Promise.all(Array.from({ length: POSTS }, (_, n) => writePost(system, `post ${n}`, 0)));
  await system.quiet();
  await system.part('stop event-bus');
  return { comments: url('comments'), postIds: posts.map(({ id }) => id), file: join(system.dataDir, 'comments.db') };
}

async function startLimit(directory: string): Promise<Target> {
  const { url } = await startServer('bench/limit.ts', { DATA_DIR: directory });
  return {
    comments: url,
    postIds: Array.from({ length: POSTS }, (_, n) => `post-${n}`),
    file: join(directory, 'limit.db'),
  };
}

/** The number of comments that were committed together with their event. */
function stored(file: string): number {
  const db = new DatabaseSync(file, { readOnly: true });
  const row = db.prepare('SELECT min((SELECT count(*) FROM comments), (SELECT count(*) FROM outbox)) AS n').get();
  db.close();
  return Number(row?.n);
}

async function measure({ side, directory, quick }: Run): Promise<Values> {
  const { file, ...target } = await (side === 'ours' ? startComments(directory) : startLimit(directory));
  const load = async (concurrency: number): Promise<Ended & { rate: number }> => {
    const ended = await putLoad({ kind: 'comments', ...target, concurrency, ms: quick ? 1_500 : 5_000 });
    return { ...ended, rate: ended.comments / ((ended.ended - ended.began) / 1_000) };
  };
  const few = await load(32);
  const many = await load(128);
  const acknowledged = few.comments + many.comments;
  if (acknowledged === 0) throw new Error(`nothing was acknowledged: ${JSON.stringify(few.refused)}`);
  if (stored(file) < acknowledged) throw new Error(`lost: ${acknowledged - stored(file)} of ${acknowledged} comments`);
  return {
    rate: few.rate,
    p50: few.p50,
    p99: few.p99,
    'rate 128': many.rate,
    'p99 128': many.p99,
    refused: few.requests + many.requests - acknowledged,
    load: few.cost,
  };
}

export const alone: Figure = {
  name: 'alone',
  title: '32 clients (and 128) write comments on known posts, with the bus stopped',
  sides: ['limit', 'ours'],
  units: {
    rate: 'acknowledged/s',
    p50: 'ms',
    p99: 'ms',
    'rate 128': 'acknowledged/s',
    'p99 128': 'ms',
    refused: 'comments not answered 201',
    load: 'µs of the load generator a request',
  },
  measure,
  goals: [
    { text: 'comments/s of ours by the limit', of: ({ ours, limit }) => ratio(ours?.rate, limit?.rate), atLeast: 0.5 },
  ],
};
