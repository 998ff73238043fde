// The durability of acknowledged writes: each server is killed under load, and everything acknowledged must exist
// afterwards.
import { setTimeout as pause } from 'node:timers/promises';
import { SERVERS } from '@blog/common/run/parts.ts';
import { check, takeSnapshot } from '../../e2e/lib/checker.ts';
import { startWriters, writesOf } from '../../e2e/lib/writers.ts';
import type { Figure, Run, Values } from '../figure.ts';
import { keep, startOurs } from '../processes.ts';

const WRITERS = 16;
/** The pause between two kills, in milliseconds. */
const BETWEEN = 1_000;

async function measure({ directory, quick, say }: Run): Promise<Values> {
  const { system } = await startOurs(directory);
  const crowd = startWriters(system, WRITERS);
  let known = 0;
  let since = performance.now();
  let stall = 0;
  const watching = setInterval(() => {
    if (crowd.posts.length > known) since = performance.now();
    known = crowd.posts.length;
    stall = Math.max(stall, performance.now() - since);
  }, 10);
  const end = async () => {
    clearInterval(watching);
    void crowd.stop().catch(() => {}); // a writer in flight gives up by itself
  };
  await keep(Promise.resolve({ stop: end }));
  for (const part of SERVERS) {
    await pause(quick ? BETWEEN / 4 : BETWEEN);
    say(`kill -9 ${part}`);
    await system.killPart(part);
  }
  await pause(BETWEEN);
  await crowd.stop();
  clearInterval(watching);
  await system.quiet(60_000);
  const writes = writesOf(crowd.posts);
  const violations = check(writes, await takeSnapshot(system));
  if (violations.length > 0) throw new Error(violations.map(({ kind, count }) => `${kind}: ${count}`).join(', '));
  return {
    acknowledged: writes.length,
    lost: 0,
    kills: SERVERS.length,
    repeated: crowd.refusals.length,
    stall: stall / 1_000,
  };
}

export const durability: Figure = {
  name: 'durability',
  title: `${WRITERS} clients write while each of the five servers is killed (kill -9) and comes back`,
  sides: ['ours'],
  units: {
    acknowledged: 'writes',
    lost: 'of them, duplicated, wrong or pending',
    kills: 'of servers',
    repeated: 'answers other than 201, sent again',
    stall: 's at most without a post and its four comments done',
  },
  measure,
  goals: [{ text: 'acknowledged writes lost', of: ({ ours }) => ours?.lost, atMost: 0 }],
};
