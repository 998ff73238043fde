// The load generator, in a process of its own (load-process.ts): so its cost is its own, and is reported.
//
// Not autocannon: a client of it talks to one server only, so it cannot write a post to one service and comments on it to
// another; at its end it drops the requests in flight, so that nobody knows whether they were acknowledged; and a request
// costs it 44 µs where these take 21 (both against limit.ts, 32 clients, on two cores), time that the services then lack.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Write } from '../e2e/checker.ts';
import { keep } from './processes.ts';

/** So many clients for so many milliseconds, each with one request at a time (a closed loop). */
export type Load = { concurrency: number; ms: number } & (
  | { kind: 'blog'; posts: string; comments: string; name: string }
  | { kind: 'comments'; comments: string; postIds: string[] }
  | { kind: 'reads'; url: string }
  | { kind: 'events'; url: string; name: string; batch: number }
);

/** What came of it; times in milliseconds, `began` and `ended` on the clock of `now()`. */
export type Ended = {
  requests: number;
  posts: number;
  comments: number;
  /** Status -> how often it was the answer to a request that was not taken; 0: no answer. */
  refused: Record<number, number>;
  p50: number;
  p99: number;
  began: number;
  ended: number;
  /** The generator's own cost: processor time of one request in microseconds. */
  cost: number;
};

/** Milliseconds on a clock that all processes share. */
export const now = () => performance.timeOrigin + performance.now();

/** The value that so many percent of all are not above. */
export function percentile(values: number[], percent: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil((sorted.length * percent) / 100) - 1)] ?? Number.NaN;
}

/** Puts this load on; done when every request was answered. `writes()` then gives what was acknowledged. */
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
