// Safe retry with an Idempotency-Key.

import { afterAll, afterEach, beforeEach, expect, test } from '@jest/globals';
import { newFolder, removeFolders, type Service } from '../../common/test/service.ts';
import { startPosts } from './posts-service.ts';

let folder: string;
let service: Service;
beforeEach(async () => {
  folder = newFolder();
  service = await startPosts({ folder });
});
afterEach(() => service.close());
afterAll(removeFolders);

const send = (key: string, title: unknown) => service.http.post('/posts').set('Idempotency-Key', key).send({ title });
const count = async () => [
  (await service.rows('SELECT id FROM posts')).length,
  (await service.rows('SELECT seq FROM outbox')).length,
];

test('the same key and title gets the first answer again, also after a restart', async () => {
  const first = await send('key', 'a').expect(201);
  const again = await send('key', ' a ').expect(201);
  await service.close();
  service = await startPosts({ folder });
  const later = await send('key', 'a').expect(201);
  for (const { body, headers } of [again, later]) {
    expect([body, headers.location]).toEqual([first.body, first.headers.location]);
  }
  expect(await count()).toEqual([1, 1]);
});

test('twenty concurrent requests with one key make one post and one event, and all get the same answer', async () => {
  const answers = await Promise.all(Array.from({ length: 20 }, () => send('key', 'a')));
  expect(new Set(answers.map(({ status, body }) => `${status} ${JSON.stringify(body)}`)).size).toBe(1);
  expect(answers[0]?.status).toBe(201);
  expect(await count()).toEqual([1, 1]);
});

test('the same key with another title is a 422 that names the header', async () => {
  await send('key', 'a').expect(201);
  const { body } = await send('key', 'b').expect(422);
  expect(body.errors).toEqual([{ field: 'Idempotency-Key', detail: expect.any(String) }]);
  expect(await count()).toEqual([1, 1]);
});

test.each([
  ['empty', ''],
  ['with a space in it', 'a b'],
  ['not ASCII', 'é'],
  ['of 256 characters', 'k'.repeat(256)],
])('a key %s is a 400 that names the header', async (_, key) => {
  const { body } = await send(key, 'a').expect(400);
  expect(body.errors).toEqual([{ field: 'Idempotency-Key', detail: 'must be 1 to 255 visible ASCII characters' }]);
  expect(await count()).toEqual([0, 0]);
});

test('a refused request uses up no key', async () => {
  await send('k'.repeat(255), '').expect(400);
  await send('k'.repeat(255), 'a').expect(201);
});

test('without a key, or with another one, the same title is another post', async () => {
  for (const key of ['one', 'two']) await send(key, 'a').expect(201);
  for (let i = 0; i < 2; i += 1) await service.http.post('/posts').send({ title: 'a' }).expect(201);
  expect(await count()).toEqual([4, 4]);
});
