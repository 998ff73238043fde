// The author of a post: from the token to the row, the answer and the event; and posts as they are without sign-in.
import { join } from 'node:path';
import { openDatabase } from '@blog/common/core/database.ts';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { ADA, FakeAuth, GRACE } from '../../common/test/fake-auth.ts';
import { at, type Json } from '../../common/test/fake-bus.ts';
import { newFolder, removeFolders, type Service } from '../../common/test/service.ts';
import { migrations } from '../src/schema.ts';
import { startPosts } from './posts-service.ts';

let auth: FakeAuth;
const open: Service[] = [];
beforeAll(async () => {
  auth = await new FakeAuth().open();
});
afterEach(async () => {
  for (const service of open.splice(0)) await service.close();
});
afterAll(async () => {
  await auth.close();
  removeFolders();
});

async function start(env: Record<string, string> = { AUTH_URL: auth.url }, folder = newFolder()): Promise<Service> {
  const service = await startPosts({ env, folder });
  open.push(service);
  return service;
}

async function send(service: Service, user: typeof ADA | undefined, title: string, key?: string) {
  const post = service.http.post('/posts').send({ title });
  if (user) post.set('Authorization', `Bearer ${await auth.token(user)}`);
  return key ? post.set('Idempotency-Key', key) : post;
}
const list = async (service: Service) => Object.values<Json>((await service.http.get('/posts').expect(200)).body);
const outbox = async (service: Service): Promise<Json[]> =>
  (await service.rows<{ event: string }>('SELECT event FROM outbox ORDER BY seq')).map(({ event }) =>
    JSON.parse(event),
  );

test('the author is in the answer, in the list and in the event', async () => {
  const posts = await start();
  const { status, body } = await send(posts, ADA, 'Hello');
  expect([status, body]).toEqual([
    201,
    { id: expect.any(String), title: 'Hello', createdAt: expect.any(String), author: ADA },
  ]);
  expect(await list(posts)).toEqual([{ ...body, seq: 1 }]);
  expect(await outbox(posts)).toMatchObject([{ type: 'PostCreated', data: body }]);
});

test('without a token nothing is stored, and reading stays open', async () => {
  const posts = await start();
  expect((await send(posts, undefined, 'Hello')).status).toBe(401);
  expect(await list(posts)).toEqual([]);
  expect(await outbox(posts)).toEqual([]);
});

test('an author in the body is nobody', async () => {
  const posts = await start();
  const token = await auth.token(ADA);
  const { body } = await posts.http
    .post('/posts')
    .set('Authorization', `Bearer ${token}`)
    .send({ title: 'a', author: GRACE });
  expect(body.author).toEqual(ADA);
});

test('a key answers its own author again, under a new name too; another author is told 422', async () => {
  const posts = await start();
  const first = await send(posts, ADA, 'Hello', 'key');
  const renamed = { ...ADA, name: 'Countess Lovelace' };
  for (const user of [ADA, renamed]) expect((await send(posts, user, 'Hello', 'key')).body).toEqual(first.body);
  expect((await send(posts, GRACE, 'Hello', 'key')).status).toBe(422);
  expect(await list(posts)).toHaveLength(1);
});

test('a lost database gets its authors back from the log, and a replay publishes them again', async () => {
  const posts = await start();
  await send(posts, ADA, 'Hello');
  const log = await outbox(posts);
  const restored = await start();
  await restored.history(log).expect(200);
  expect(await list(restored)).toEqual(await list(posts));
  const replay = 'a-replay-of-this-test';
  await restored.push([], { after: at(0), upto: at(0), head: at(1), replay }).expect(200);
  expect(await outbox(restored)).toEqual(log);
});

test('the log knows best who was first with a key', async () => {
  const posts = await start();
  await send(posts, ADA, 'Hello', 'key');
  const [event] = await outbox(posts);
  await posts.history([{ ...event, data: { ...event.data, author: GRACE } }]).expect(200);
  expect(await list(posts)).toMatchObject([{ author: GRACE }]);
  expect((await send(posts, ADA, 'Hello', 'key')).status).toBe(422);
});

test.each<[string, unknown]>([
  ['a text', 'Ada'],
  ['without an id', { name: 'Ada' }],
  ['without a name', { id: 'ada' }],
  ['a list', [ADA]],
  ['null', null],
])('an author of an event that is %s counts as missing', async (_, author) => {
  const posts = await start();
  await posts.push({ type: 'PostCreated', data: { id: 'p1', title: 'Hello', author } }).expect(200);
  expect((await list(posts)).map((post) => Object.keys(post))).toEqual([['id', 'title', 'createdAt', 'seq']]);
});

test('without sign-in no answer and no event has the member, whatever token comes along', async () => {
  const posts = await start({});
  const { text, body } = await send(posts, ADA, 'Hello');
  expect(text).toBe(JSON.stringify({ id: body.id, title: 'Hello', createdAt: body.createdAt }));
  const [event] = await posts.rows<{ event: string }>('SELECT event FROM outbox');
  expect(JSON.parse(event?.event ?? '').data).toEqual(body);
  expect(event?.event).not.toContain('author');
  expect((await posts.http.get('/posts')).text).toBe(JSON.stringify({ [body.id]: { ...body, seq: 1 } }));
});

test('a database from before there were authors is brought up to date', async () => {
  const folder = newFolder();
  const old = openDatabase(join(folder, 'service.db'), migrations.slice(0, -1));
  await old.write((tx) => tx.run("INSERT INTO posts (id, title, createdAt, event) VALUES ('p1', 'Old', 'then', '{}')"));
  await old.close();
  const posts = await start({ AUTH_URL: auth.url }, folder);
  const { body } = await send(posts, ADA, 'New');
  expect(await list(posts)).toEqual([
    { id: 'p1', title: 'Old', createdAt: 'then', seq: 1 },
    { ...body, seq: 2 },
  ]);
});
