// A replay of any subscription, from anywhere, at any time: nothing is published twice, no status goes back, and the
// read model stays the same.
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { SERVICES } from '../../common/src/run/parts.ts';
import { check, takeSnapshot } from '../lib/checker.ts';
import { get, post, until } from '../lib/http.ts';
import { type System, startSystem } from '../lib/system.ts';
import { commentsOf, everything, startWriters, type Written, writePost, writesOf } from '../lib/writers.ts';

let system: System;
const written: Written[] = [];

beforeAll(async () => {
  system = await startSystem('--production', '--without', 'client');
  for (let n = 0; n < 5; n++) written.push(await writePost(system, `post ${n}`, 6));
  await system.quiet();
});
afterAll(() => system?.stop());

/**
 * Orders a replay as soon as the bus accepts it; returns the order's id. `part` is the share of the log that is
 * replayed, from 0 to 1.
 */
async function order(name: string, part: number): Promise<string> {
  const { body } = await until(`a replay of ${name}`, async () => {
    const from = Math.max(1, Math.ceil(Number.parseInt(await system.head(), 10) * (1 - part)));
    const answer = await post(`${system.url('event-bus')}/subscriptions/${name}/replay`, { from });
    // Its position may be further back just now, because of the replay before.
    return answer.status === 200 && answer;
  });
  return body.replay.id;
}

async function replay(name: string, part: number): Promise<void> {
  const id = await order(name, part);
  await until(`${name} took the order`, async () => (await get(`${system.url(name)}/events`)).body.replay === id);
}

test.each(SERVICES)('a replay of %s has no second effect and publishes nothing twice', async (name) => {
  const before = await everything(system, written);
  await replay(name, 1);
  await system.quiet();
  expect(await everything(system, written)).toEqual(before);
});

test('neither do replays of all at once, from any position', async () => {
  const before = await everything(system, written);
  await Promise.all(SERVICES.map((name) => replay(name, Math.random())));
  await system.quiet();
  expect(await everything(system, written)).toEqual(before);
});

/** Polls the comments of these posts, and records each that lost or changed its verdict. */
function watchVerdicts(posts: Written[]) {
  const verdicts = new Map<string, string>();
  const wentBack: string[] = [];
  let going = true;
  type Shown = { id: string; status: string };
  const look = (place: string, { id, status }: Shown) => {
    const before = verdicts.get(`${place} ${id}`);
    if (before && before !== status) wentBack.push(`${id} at ${place}: ${before}, then ${status}`);
    if (status !== 'pending') verdicts.set(`${place} ${id}`, status);
  };
  const commentsAtQuery = async ({ id }: Written) =>
    (await get(`${system.url('query')}/posts/${id}`)).body.comments as Shown[];
  const watch = async (place: string, ask: (post: Written) => Promise<Shown[]>) => {
    while (going)
      for (const shown of posts) for (const comment of await ask(shown).catch(() => [])) look(place, comment);
  };
  const watching = [watch('comments', ({ id }) => commentsOf(system, id)), watch('query', commentsAtQuery)];
  return async () => {
    going = false;
    await Promise.all(watching);
    return { wentBack, seen: verdicts.size };
  };
}

test('replays during replays, under load and while the subscriber is killed, change nothing either', async () => {
  const watched = watchVerdicts(written);
  const writers = startWriters(system, 4);
  await until('some posts', () => writers.posts.length >= 8);
  await Promise.all(
    SERVICES.map(async (name) => {
      for (let round = 0; round < 2; round++) {
        await order(name, 1);
        await order(name, Math.random());
        await system.killPart(name);
        await order(name, Math.random());
      }
    }),
  );
  await writers.stop();
  await system.quiet();
  const { wentBack, seen } = await watched();
  expect(wentBack).toEqual([]);
  expect(seen).toBe(2 * written.flatMap(({ comments }) => comments).length);
  expect(check(writesOf([...written, ...writers.posts]), await takeSnapshot(system))).toEqual([]);
});
