// The load generator, in its own process (load-process.ts), so that its cost is measured separately and reported. Not
// autocannon, for three reasons. A client of it talks to one server only, so it cannot write a post to one service and
// comments to another. At its end it drops the requests in flight, so it is unknown if they were acknowledged. And a
// request costs it 44 µs where these take 21 (both against limit.ts, 32 clients, on two cores), time that the services
// then lack.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Write } from '../e2e/lib/checker.ts';
import { keep } from './processes.ts';

/** The load: clients that send one request at a time (a closed loop) for `ms` milliseconds. */
export type Load = { concurrency: number; ms: number } & (
  | { kind: 'blog'; posts: string; comments: string; name: string }
  | { kind: 'comments'; comments: string; postIds: string[] }
  | { kind: 'reads'; url: string }
  | { kind: 'events'; url: string; name: string; batch: number }
);

/** The result; times in milliseconds, `began` and `ended` on the clock of `now()`. */
export type Ended = {
  requests: number;
  posts: number;
  comments: number;
  /** Status -> number of refused requests; 0: no answer. */
  refused: Record<number, number>;
  p50: number;
  p99: number;
  began: number;
  ended: number;
  /** The generator's own cost: processor time per request in microseconds. */
  cost: number;
};

/** Milliseconds on a clock shared by all processes. */
export const now = () => performance.timeOrigin + performance.now();

/** The value that this percentage of all values do not exceed. */
export function percentile(values: number[], percent: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil((sorted.length * percent) / 100) - 1)] ?? Number.NaN;
}

/** Runs a load; resolves once every request was answered. `writes()` then returns the acknowledged writes. */
export async function putLoad(load: Load): Promise<Ended & { writes(): Promise<Write[]> }> {
  const child = fork(join(import.meta.dirname, 'load-process.ts'), [JSON.stringify(load)], {
    serialization: 'advanced',
  });
  const gone = once(child, 'exit').then(([code]) => {
    throw new Error(`the load generator ended with ${code}`);
  });
  gone.catch(() => {});
  const message = async () => (await Promise.race([once(child, 'message'), gone]))[0];
  await keep(Promise.resolve({ stop: async () => child.kill() && gone.catch(() => {}) }));
  const ended: Ended = await message();
  return {
    ...ended,
    writes: () => {
      const answer = message();
      child.send('writes');
      return answer;
    },
  };
}
