// The same event, published by many at the same time.
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { post, request, until } from '../lib/http.ts';
import { type System, startSystem } from '../lib/system.ts';

const PUBLISHERS = 100;
const BATCH = 'application/cloudevents-batch+json';

const absent = ['client', 'comments', 'query', 'moderation'];

let system: System;
let events: string;

beforeAll(async () => {
  system = await startSystem('--production', ...absent.flatMap((name) => ['--without', name]));
  events = `${system.url('event-bus')}/events`;
});
afterAll(() => system?.stop());

const event = (id: string, text: string) => ({
  ...{ specversion: '1.0', id, source: 'a learner', type: 'NoteTaken', data: { id, text } },
});
const publish = (id: string, text: string) => post(events, event(id, text));
const publishBatch = (...batch: object[]) =>
  request(events, { method: 'POST', body: batch, headers: { 'content-type': BATCH } });
const entries = async (id: string) => (await system.log()).filter((entry) => entry.id === id);
const many = <T>(make: (n: number) => Promise<T>) => Promise.all(Array.from({ length: PUBLISHERS }, (_, n) => make(n)));

test('published a hundred times at once is one entry, and all get the same position', async () => {
  const answers = await many(() => publish('once', 'the same'));
  const [entry, ...more] = await entries('once');
  expect(more).toEqual([]);
  for (const { status, body } of answers) expect([status, body.position]).toEqual([201, entry?.position]);
});

test('published a hundred times at once, with the bus killed before its answer, and retried, is one entry', async () => {
  const persist = async (n: number) => {
    // The same ten events, in another order for every five publishers.
    const ids = Array.from({ length: 10 }, (_, i) => `persistent ${(Math.floor(n / 5) + i) % 10}`);
    const batch = ids.map((id) => event(id, 'the same'));
    return until('acknowledged', async () => (await publishBatch(...batch)).status === 201);
  };
  const died = await system.runTo('logged-not-answered', 'event-bus');
  const publishing = many(persist);
  publishing.catch(() => {}); // not awaited by a test that fails earlier
  await died();
  const stored = () => system.rows('event-bus', "SELECT id FROM events WHERE id LIKE 'persistent%' ORDER BY position");
  const before = stored();
  expect(new Set(before.map(({ id }) => id)).size).toBe(10);

  await system.startPart('event-bus');
  await publishing;
  expect(stored()).toEqual(before);
  expect(before).toHaveLength(10);
});

test('with other content is 409, and the log keeps the first', async () => {
  const { body: first } = await publish('kept', 'first');
  expect((await publish('kept', 'second')).status).toBe(409);
  expect(await entries('kept')).toMatchObject([{ position: first.position, data: { text: 'first' } }]);
});

test('with other content in the middle of a batch is 409, and nothing of that batch is stored', async () => {
  await publish('in the midst', 'first');
  const batch = [event('before', 'new'), event('in the midst', 'second'), event('behind', 'new')];
  const { status, body } = await publishBatch(...batch);
  expect([status, body.detail]).toEqual([409, expect.stringContaining('in the midst')]);
  expect([...(await entries('before')), ...(await entries('behind'))]).toEqual([]);
  expect(await entries('in the midst')).toMatchObject([{ data: { text: 'first' } }]);
});

test('with two contents, fifty times each at once, is one of them: 201 and its position; the other one is 409', async () => {
  const answers = await many((n) => publish('disputed', `content ${n % 2}`));
  const [entry, ...more] = (await entries('disputed')) as { position: number; data?: { text: string } }[];
  expect(more).toEqual([]);
  const stored = answers.filter((_, n) => entry?.data?.text === `content ${n % 2}`);
  expect(stored.map(({ status, body }) => [status, body.position])).toEqual(Array(50).fill([201, entry?.position]));
  const refused = answers.filter((answer) => !stored.includes(answer));
  expect(refused.map(({ status }) => status)).toEqual(Array(50).fill(409));
});
