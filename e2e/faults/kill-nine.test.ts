// Kills any part at any time, repeatedly, under load.
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { SERVERS } from '../../common/src/run/parts.ts';
import { check, fingerprint, readLog, takeSnapshot } from '../lib/checker.ts';
import { until } from '../lib/http.ts';
import { type System, startSystem } from '../lib/system.ts';
import { startWriters, writesOf } from '../lib/writers.ts';

/** The number of kills of each part alone, and of all parts at once. */
const ROUNDS = process.env.LONG ? 10 : 1;

let system: System;

beforeAll(async () => {
  system = await startSystem('--production', '--without', 'client');
});
afterAll(() => system?.stop());

test('kill -9 of every part under the load of 16 writers loses nothing, duplicates nothing and leaves no comment pending', async () => {
  const seen = new Map<number, string>();
  const readOn = async () => {
    for await (const page of readLog(system.url('event-bus'), seen.size)) {
      for (const event of page) seen.set(event.position, fingerprint(event));
    }
  };
  const writers = startWriters(system, 16);
  const somePosts = () => {
    const enough = writers.posts.length + 10;
    return until('more posts', () => writers.posts.length >= enough);
  };
  await somePosts();
  for (let round = 0; round < ROUNDS; round++) {
    for (const part of round % 2 ? SERVERS.toReversed() : SERVERS) {
      await system.killPart(part);
      await somePosts();
    }
    await readOn();
    await Promise.all(SERVERS.map(system.killPart));
    await somePosts();
  }
  await writers.stop();
  // A comment may come before its post has been delivered; nothing else is refused.
  expect(writers.refusals.filter((refusal) => !/^(503|404) /.test(refusal))).toEqual([]);
  await system.quiet();
  expect(check(writesOf(writers.posts), await takeSnapshot(system, seen))).toEqual([]);
}, 600_000);
