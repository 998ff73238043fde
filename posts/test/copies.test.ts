// Two copies of posts on one bus: the same key at both is one post, and the log's word stands.

import { afterAll, afterEach, beforeEach, expect, test } from '@jest/globals';
import type { Json } from '../../common/test/fake-bus.ts';
import { defined, NO_BUS, newFolder, removeFolders, Service, until } from '../../common/test/service.ts';
import { eventBus } from '../../event-bus/src/app.ts';
import { startPosts } from './posts-service.ts';

const UUID_V8 = /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12}$/;

let busFolder: string;
let bus: Service | undefined;
let copies: Service[];
let env: Record<string, string>;
/** The bus, on which the copies are not subscribed: the tests push what they are to know. */
const startBus = async () => {
  bus = await new Service(
    defined(eventBus, { SUBSCRIPTIONS: 'nobody=http://127.0.0.1:9/events' }),
    '',
    busFolder,
  ).open();
  return bus.url;
};
const start = (busUrl: string, name: string, more = {}) =>
  startPosts({ busUrl, env: { COPY_NAME: name, ...env, ...more } });

beforeEach(() => {
  busFolder = newFolder();
  env = {};
  copies = [];
});
afterEach(async () => {
  for (const copy of copies) await copy.close();
  await bus?.close();
  bus = undefined;
});
afterAll(removeFolders);

const send = (copy: Service | undefined, title: string, key = 'key') =>
  (copy as Service).http.post('/posts').set('Idempotency-Key', key).send({ title });
const list = async (copy: Service) => Object.values<Json>((await copy.http.get('/posts').expect(200)).body);
const log = async (): Promise<Json[]> => (await (bus as Service).http.get('/events').expect(200)).body;
const isEmpty = async (copy: Service) => {
  await copy.db.write(() => {});
  return (await copy.rows('SELECT 1 FROM outbox')).length === 0;
};

test('the same key makes the same post, with the same id, at any copy', async () => {
  const url = await startBus();
  copies = [await start(url, 'posts-0'), await start(url, 'posts-1')];
  const answers = [await send(copies[0], 'a').expect(201), await send(copies[1], 'a').expect(201)];
  const [first, second] = answers.map(({ body }) => body);
  expect(first.id).toMatch(UUID_V8);
  expect(second.id).toBe(first.id);
  await until(async () => (await isEmpty(copies[0] as Service)) && (await isEmpty(copies[1] as Service)));
  expect((await log()).map(({ data }) => data)).toEqual([first]);
  // The second copy was told 409, and has taken over what the log says.
  for (const copy of copies) expect(await list(copy)).toEqual([{ ...first, seq: 1 }]);
});

test('with other bodies at two copies the log keeps the first, and the other one takes it over', async () => {
  const url = await startBus();
  copies = [await start(url, 'posts-0')];
  const { body: first } = await send(copies[0], 'first').expect(201);
  await until(async () => (await log()).length === 1);
  copies.push(await start(url, 'posts-1'));
  await send(copies[1], 'second').expect(201);
  await until(() => isEmpty(copies[1] as Service));
  expect(await list(copies[1] as Service)).toEqual([{ ...first, seq: 1 }]);
  await send(copies[1], 'second').expect(422);
  expect((await send(copies[1], 'first').expect(201)).body).toEqual(first);
  expect(await log()).toHaveLength(1);
  // A replay publishes again what the log has.
  const [{ event } = { event: '' }] = await (copies[1] as Service).rows<{ event: string }>('SELECT event FROM posts');
  expect(JSON.parse(event).data).toEqual(first);
});

test('an event of the log replaces what is stored, and the unsent one is dropped', async () => {
  copies = [await start(NO_BUS, 'posts-0')];
  const [copy] = copies as [Service];
  const { body: mine } = await send(copy, 'mine').expect(201);
  const { body: other } = await send(copy, 'other', 'another').expect(201);
  const event = (data: object, time: string) => ({
    ...{ specversion: '1.0', id: `${mine.id}/PostCreated`, source: 'posts', type: 'PostCreated', subject: mine.id },
    ...{ time, data: { id: mine.id, ...data } },
  });
  // Another source has no say, and what is missing blanks nothing; nor does the event's time replace a known one.
  await copy.push({ ...event({ title: 'theirs' }, '2026-01-01T00:00:00Z'), source: 'classic' }).expect(200);
  await copy.push(event({}, '2026-01-01T00:00:00Z')).expect(200);
  expect((await list(copy))[0]).toEqual({ ...mine, seq: 1 });
  expect(await copy.rows('SELECT 1 FROM outbox')).toHaveLength(2);
  await copy.push(event({ title: 'of the log' }, '2026-01-01T00:00:00Z')).expect(200);
  expect((await list(copy))[0]).toEqual({ ...mine, title: 'of the log', seq: 1 });
  const left = await copy.rows<{ event: string }>('SELECT event FROM outbox');
  expect(left.map(({ event }) => JSON.parse(event).data)).toEqual([other]);
  const createdAt = '2026-01-01T00:00:00.000Z';
  await copy.push(event({ title: 'of the log', createdAt }, createdAt)).expect(200);
  expect((await list(copy))[0]).toEqual({ id: mine.id, title: 'of the log', createdAt, seq: 1 });
});

test('a key of a post from before ids came from keys still answers with that post', async () => {
  const url = await startBus();
  copies = [await start(url, 'posts')];
  const [copy] = copies as [Service];
  const sql =
    "INSERT INTO posts (id, title, createdAt, idempotencyKey, event) VALUES ('old', 'a', 'then', 'key', '{}')";
  await copy.db.write((tx) => tx.run(sql));
  expect((await send(copy, 'a').expect(201)).body).toEqual({ id: 'old', title: 'a', createdAt: 'then' });
  await send(copy, 'b').expect(422);
  expect(await list(copy)).toHaveLength(1);
});
