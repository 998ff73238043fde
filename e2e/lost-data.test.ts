// A database that was lost comes back from the log, and a log that was lost from the databases.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { get, post, readModel, until } from './http.ts';
import { type System, startSystem } from './system.ts';
import { expected, shown, type Written, writePost } from './writers.ts';

let system: System;
let bus: string;
const written: Written[] = [];

beforeAll(async () => {
  system = await startSystem('--production', '--without', 'client');
  bus = system.url('event-bus');
  for (let n = 0; n < 5; n++) written.push(await writePost(system, `post ${n}`, 6));
  await system.quiet();
});
afterAll(() => system?.stop());

/** A list in its order; the numbers behind that order may have gaps, and others after a loss. */
const inOrder = (items: object) => Object.values(items).map(({ seq, ...item }) => item);

/** Everything that the services answer. */
async function answers() {
  const comments = written.map(({ id }) => get(`${system.url('comments')}/posts/${id}/comments`));
  return {
    posts: inOrder((await get(`${system.url('posts')}/posts`)).body),
    comments: (await Promise.all(comments)).map(({ body }) => inOrder(body)),
    readModel: await readModel(system.url('query')),
  };
}

/** Writing goes on, too, and gets its verdicts. */
async function expectLife(): Promise<void> {
  written.push(await writePost(system, 'life goes on', 3));
  await system.quiet();
  expect(shown(await readModel(system.url('query')))).toEqual(expected(written));
}

/** The bus asks every subscriber where it stands, every five seconds; with `ask` it asks this one at once. */
async function loseDatabase(part: string, ask: boolean): Promise<void> {
  await system.part(`stop ${part}`);
  system.deleteDatabase(part);
  await system.part(`start ${part}`);
  if (ask) await post(`${bus}/subscriptions/${part}/resume`);
  await system.ready(part);
}

/** Orders a replay, and waits until it is done. */
async function replay(name: string): Promise<void> {
  const { status, body } = await post(`${bus}/subscriptions/${name}/replay`);
  expect(status).toBe(200);
  await until(`${name} took the order`, async () => {
    return (await get(`${system.url(name)}/events`)).body.replay === body.replay.id;
  });
}

test.each(['posts', 'comments', 'query', 'moderation'])(
  'the lost database of %s comes back from the log, which stays as it is',
  async (part) => {
    const before = { ...(await answers()), log: await system.log() };
    await loseDatabase(part, part !== 'query');
    await system.quiet();
    expect({ ...(await answers()), log: await system.log() }).toEqual(before);
    await expectLife();
  },
);

test.each(['posts', 'comments', 'query', 'moderation'])(
  'a replay of %s has no second effect and publishes nothing twice',
  async (part) => {
    const before = { ...(await answers()), log: await system.log() };
    await replay(part);
    await system.quiet();
    expect({ ...(await answers()), log: await system.log() }).toEqual(before);
  },
);

describe('when the log of the bus is lost', () => {
  const states = async () => (await system.subscriptions()).map(({ name, state }) => [name, state]);
  const all = (state: string) => ['posts', 'comments', 'query', 'moderation'].map((name) => [name, state]);

  test('every subscription and /readyz say so, and nothing is pushed or published any more', async () => {
    await loseDatabase('event-bus', false);
    await until('all are diverged', async () => (await states()).every(([, state]) => state === 'diverged'));
    const before = await answers();
    const stands = await Promise.all(all('').map(([name]) => get(`${system.url(name as string)}/events`)));

    const { degraded } = (await get(`${bus}/readyz`)).body;
    expect(degraded.map((text: string) => text.split(':')[0])).toEqual(all('').map(([name]) => `${name} is diverged`));
    // What is written now is accepted and stays where it is.
    const waiting = await writePost(system, 'written without a log', 0);
    written.push(waiting);
    await until('posts waits', async () => {
      return `${(await get(`${system.url('posts')}/readyz`)).body.degraded}`.includes('the bus answered 412');
    });
    expect(await system.log()).toEqual([]);
    expect(await states()).toEqual(all('diverged'));
    expect((await answers()).readModel).toEqual(before.readModel);
    const after = await Promise.all(all('').map(([name]) => get(`${system.url(name as string)}/events`)));
    expect(after.map(({ body }) => body)).toEqual(stands.map(({ body }) => body));
  });

  test('a replay of the owners and a new database for query bring everything back', async () => {
    const { readModel: _, ...before } = await answers();
    await Promise.all(['posts', 'comments', 'moderation'].map(replay));
    await loseDatabase('query', true);
    await system.quiet();
    const { readModel: rebuilt, ...after } = await answers();
    expect(shown(rebuilt)).toEqual(expected(written));
    expect(after).toEqual(before);
    expect(await states()).toEqual(all('live'));
    const comments = written.flatMap((post) => post.comments);
    expect(await system.log()).toHaveLength(written.length + 3 * comments.length);
    await expectLife();
  });
});
