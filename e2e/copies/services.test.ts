// Two copies of every service behind one bus: kills, losses and restarts under load. Nothing is lost, doubled, wrong or
// pending, no request gets a wrong 404, and all copies are equal afterwards.
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { SERVICES } from '../../common/src/run/parts.ts';
import { createFaults } from '../lib/faults.ts';
import { get, post, until } from '../lib/http.ts';
import { followStream } from '../lib/stream.ts';
import { type Subscription, type System, startSystem } from '../lib/system.ts';

process.env.NATS_SERVER = 'none'; // one bus, on any machine

/** The number of kills of each copy. */
const ROUNDS = process.env.LONG ? 10 : 1;
/** The number of copies of each service that can run; two do, but in the test that scales them. */
const MOST = 4;

let system: System;
let faults: ReturnType<typeof createFaults>;

beforeAll(async () => {
  system = await startSystem('--production', '--without', 'client', '--copies', `${MOST}`);
  await system.scale(2);
  faults = createFaults(system);
});
afterAll(async () => {
  await system?.stop();
  console.log(`Writes stopped for at most\n${faults?.stops.join('\n')}`);
});

/** The copies that a fault hits at once: each by itself in full size, else all that have the same ordinal. */
const groups = (): string[][] =>
  process.env.LONG
    ? SERVICES.flatMap(system.copiesOf).map((name) => [name])
    : [0, 1].map((ordinal) => SERVICES.map((part) => system.copiesOf(part)[ordinal] as string));

test('kill -9 of each copy of each service, and of all at once, loses nothing', async () => {
  await faults.underLoad(async (fault) => {
    for (let round = 0; round < ROUNDS; round++)
      for (const names of groups()) await fault(`${names} killed`, () => Promise.all(names.map(system.killPart)));
    const all = SERVICES.flatMap(system.copiesOf);
    await fault('all copies of all services killed', () => Promise.all(all.map(system.killPart)));
  });
}, 900_000);

test('scaled from two copies to four and to one nothing is lost, and no copy answers before it has it', async () => {
  await faults.underLoad(async (fault) => {
    for (const copies of [4, 1, 2]) await fault(`scaled to ${copies}`, () => system.scale(copies));
  });
});

test('a copy whose volume is lost comes back by itself, and what it acknowledged is there', async () => {
  await faults.underLoad(async (fault) => {
    for (const names of groups()) await fault(`${names} lost`, () => Promise.all(names.map(faults.lose)));
  });
}, 600_000);

test('a rolling restart of all services and the bus loses nothing', async () => {
  await faults.underLoad(async (fault) => {
    for (const names of groups()) await fault(`${names} restarted`, () => Promise.all(names.map(faults.restart)));
    await fault('event-bus restarted', () => faults.restart('event-bus'));
  });
}, 600_000);

/**
 * Writes to a copy, one request after another, until one is not acknowledged; sends that one to any copy then, with the same
 * key. Each acknowledged one is passed on.
 */
async function writeUntilRefused(
  part: string,
  copy: string,
  path: string,
  bodyOf: (n: number) => object,
  made: Made[],
) {
  for (let n = 0; ; n++) {
    const headers = { 'idempotency-key': randomUUID() };
    const answer = await post(system.url(copy) + path, bodyOf(n), headers).catch(() => undefined);
    if (answer?.status === 201) made.push({ ...answer.body, at: copy });
    else {
      const { status, body } = await post(system.url(part) + path, bodyOf(n), headers);
      expect(status).toBe(201);
      return made.push({ ...body, at: part });
    }
  }
}
type Made = { id: string; title: string; content: string; at: string };

test('a copy that ends under load has published what it has acknowledged, after the commit or in the log', async () => {
  for (const ANSWER_AFTER of ['commit', 'log']) {
    const title = `for comments with ${ANSWER_AFTER}`;
    const { id } = (await post(`${system.url('posts')}/posts`, { title })).body;
    for (const [part, path, field] of [
      ['posts', '/posts', 'title'],
      ['comments', `/posts/${id}/comments`, 'content'],
    ] as const) {
      const name = system.copiesOf(part).at(-1) as string;
      const copy = await system.runApart(name, { ANSWER_AFTER });
      const made: Made[] = [];
      const writing = Array.from({ length: 8 }, (_, writer) => {
        const bodyOf = (n: number) => ({ [field]: `${field} ${n} of writer ${writer} with ${ANSWER_AFTER}` });
        return writeUntilRefused(part, name, path, bodyOf, made);
      });
      await until('it acknowledges', () => made.length >= 50);
      // The bus is stopped for a moment, so that some events still wait for it.
      const bus = (await system.pids()).get('event-bus') as number;
      process.kill(bus, 'SIGSTOP');
      const waiting = () => system.rows(name, 'SELECT seq FROM outbox').length >= writing.length;
      await until('events wait for the bus', waiting).catch(() => process.kill(bus, 'SIGCONT'));
      const ended = copy.end();
      process.kill(bus, 'SIGCONT');
      expect(await ended).toBe(0);
      const published = new Set((await system.log()).map(({ subject }) => subject));
      await Promise.all(writing);
      expect(made.filter(({ id, at }) => at === name && !published.has(id))).toEqual([]);
      await system.startPart(name);
      if (part === 'posts') faults.written.push(...made.map(({ id, title }) => ({ id, title, comments: [] })));
      else faults.written.push({ id, title, comments: made.map((one) => ({ ...one, status: 'approved' })) });
    }
  }
  await faults.expectAllRight();
});

test('a reader of the stream that comes back to another copy of query goes on where it was', async () => {
  const list = await get(`${system.url('query')}/posts?limit=1`);
  const follower = followStream(`${system.url('query')}/stream`, list.headers.get('stream-position') ?? '');
  const before = faults.written.length;
  await faults.underLoad(async (fault) => {
    for (const name of system.copiesOf('query')) {
      await fault(`${name} stopped until its readers were at another`, async () => {
        await system.part(`stop ${name}`);
        await follower.more();
        await system.startPart(name);
        const isLive = ({ name: other, state, lag }: Subscription) => other === name && state === 'live' && lag < 50;
        await until(`${name} has caught up`, async () => (await system.subscriptions()).some(isLive));
      });
    }
  });
  const written = faults.written.slice(before);
  const missed = () => {
    const { posts, comments } = follower.seen();
    return written.flatMap((one) => [
      ...(posts.has(one.id) ? [] : [one.title]),
      ...one.comments.filter(({ id, status }) => comments.get(id) !== status).map(({ content }) => content),
    ]);
  };
  await until('all has come', () => missed().length === 0).catch(() => {});
  await follower.close();
  expect([missed(), follower.messages().filter(({ event }) => event !== 'message')]).toEqual([[], []]);
  expect(follower.streams()).toBeGreaterThan(1);
});

/** Sends requests for posts with one key, each to another copy, at the same moment. */
function atOnce(...titles: string[]) {
  const headers = { 'idempotency-key': randomUUID() };
  const copies = system.copiesOf('posts');
  return Promise.all(titles.map((title, i) => post(`${system.url(copies[i] as string)}/posts`, { title }, headers)));
}

test('of requests with one key at two copies at once one is made: the same has one answer, another is refused with 422', async () => {
  for (let n = 0; n < 20; n++) {
    const title = `the same ${n}`;
    const answers = await atOnce(title, title);
    expect(answers).toMatchObject([{ status: 201 }, { status: 201 }]);
    expect(answers[0]?.body).toEqual(answers[1]?.body);
    faults.written.push({ id: answers[0]?.body.id, title, comments: [] });
  }
  for (let n = 0; n < 20; n++) {
    const answers = await atOnce(`one ${n}`, `other ${n}`);
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 422]);
    const { id, title } = answers.find(({ status }) => status === 201)?.body ?? {};
    faults.written.push({ id, title, comments: [] });
  }
  await faults.expectAllRight(); // a second post would be a duplicate, or one that was never written
});
