// The events that the posts service handles.

import { afterAll, afterEach, beforeEach, expect, test } from '@jest/globals';
import { at, FakeBus, type Json } from '../../common/test/fake-bus.ts';
import { removeFolders, type Service, until } from '../../common/test/service.ts';
import { startPosts } from './posts-service.ts';

let bus: FakeBus;
let service: Service;
beforeEach(async () => {
  bus = await new FakeBus().open();
  service = await startPosts({ busUrl: bus.url });
});
afterEach(async () => {
  await service.close();
  await bus.close();
});
afterAll(removeFolders);

const create = async (title: string) => (await service.http.post('/posts').send({ title }).expect(201)).body;
const list = async () => Object.values<Json>((await service.http.get('/posts').expect(200)).body);
const foreign = (data: object, time?: string) => ({ id: 'e', source: 's', type: 'PostCreated', time, data });

test('posts answered with 201 are published, in order', async () => {
  const posts = [await create('a'), await create('b'), await create('c')];
  await until(() => bus.log.length === 3);
  expect(bus.log.map(({ data }) => data)).toEqual(posts);
});

test('its own event, also when repeated, changes no existing row', async () => {
  const post = await create('a');
  await until(() => bus.log.length === 1);
  await service.history(bus.log).expect(200);
  await service.push(bus.log[0]).expect(200);
  expect(await list()).toEqual([{ ...post, seq: 1 }]);
});

test('a wiped database is restored from the log, and publishes nothing twice', async () => {
  const posts = [await create('a'), await create('b')];
  await until(() => bus.log.length === 2);
  await service.close();
  service = await startPosts({ busUrl: bus.url });
  bus.publications = [];
  await service.history(bus.log).expect(200);
  expect(await list()).toEqual(posts.map((post, i) => ({ ...post, seq: i + 1 })));
  await create('c');
  await until(() => bus.publications.length === 1);
  expect(bus.publications.map(({ body }) => body.data.title)).toEqual(['c']);
});

test('a field that is missing is filled in later and never blanked again; a missing time is that of the event', async () => {
  await service.push(foreign({ id: 'p' })).expect(200);
  expect(await list()).toMatchObject([{ id: 'p', title: null, createdAt: null }]);
  await service.push(foreign({ id: 'p', title: 'first' }, '2026-01-01T00:00:00Z')).expect(200);
  await service.push(foreign({ id: 'p', title: 'second' }, '2027-01-01T00:00:00Z')).expect(200);
  await service.push(foreign({ id: 'p', title: 5 })).expect(200);
  expect(await list()).toMatchObject([{ id: 'p', title: 'first', createdAt: '2026-01-01T00:00:00Z' }]);
});

test('foreign ids may look like numbers or like __proto__', async () => {
  const ids = ['b', '10', '__proto__', '9'];
  await service.history(ids.map((id) => foreign({ id, title: id }))).expect(200);
  const posts = (await list()).sort((a, b) => a.seq - b.seq);
  expect(posts.map(({ id }) => id)).toEqual(ids);
});

test('taking a replay order puts the events of its posts into the outbox again: a log that lost them gets them back', async () => {
  const [a, b] = [await create('a'), await create('b')];
  await until(() => bus.log.length === 2);
  const before = bus.log;
  await service.history(before).expect(200);
  await until(async () => (await service.rows('SELECT 1 FROM outbox')).length === 0);
  bus.log = [];
  bus.publications = [];
  for (const replay of ['r1', 'r1']) await service.push([], { after: at(0, 'b'), upto: at(0, 'b'), replay });
  await until(() => bus.log.length === 2);
  expect(bus.log).toEqual(before);
  expect(bus.publications[0]?.headers['event-published']).toBe(at(0, 'b'));
  expect(await list()).toEqual([
    { ...a, seq: 1 },
    { ...b, seq: 2 },
  ]);
});

test('each copy names itself with its question at the start and with its publications', async () => {
  await create('alone');
  const copy = await startPosts({ busUrl: bus.url, env: { COPY_NAME: 'posts-1' } });
  await copy.http.post('/posts').send({ title: 'of a copy' }).expect(201);
  await until(() => bus.log.length === 2 && bus.askedBy.length === 2);
  await copy.close();
  const named = bus.publications.map(({ headers, body }) => [body.data.title, headers['event-publisher']]);
  expect(bus.askedBy).toEqual(['posts', 'posts-1']);
  expect(Object.fromEntries(named)).toEqual({ alone: 'posts', 'of a copy': 'posts-1' });
});

test('an order to replay only the end of the log forgets no acknowledgement', async () => {
  await create('a');
  await create('b');
  await until(() => bus.log.length === 2);
  await service.history(bus.log).expect(200);
  await until(async () => (await service.rows('SELECT 1 FROM outbox')).length === 0);
  await service.push([], { after: at(1), upto: at(1), replay: 'r' });
  bus.publications = [];
  await create('c');
  await until(() => bus.log.length === 3);
  expect(bus.publications.map(({ headers }) => headers['event-published'])[0]).toBe(at(2));
});
