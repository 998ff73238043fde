// The routes of the comments service.

import { newId } from '@blog/common/http/input.ts';
import { afterAll, afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { newFolder, removeFolders, type Service } from '../../common/test/service.ts';
import { postCreated, startComments } from './comments-service.ts';

let folder: string;
let service: Service;
beforeEach(async () => {
  folder = newFolder();
  service = await startComments({ folder });
  await service.push(postCreated('p')).expect(200);
});
afterEach(() => service.close());
afterAll(removeFolders);

const send = (content: unknown, key?: string, post = 'p') => {
  const request = service.http.post(`/posts/${post}/comments`);
  return (key === undefined ? request : request.set('Idempotency-Key', key)).send({ content });
};
const list = async (post = 'p') => (await service.http.get(`/posts/${post}/comments`).expect(200)).body;
const stored = () => service.rows<{ event: string }>('SELECT event FROM outbox');

test('POST answers 201 with the pending comment and its Location; the event that announces it is stored with it', async () => {
  const { body, headers } = await send('  A comment \n').expect(201);
  const { id, createdAt } = body;
  expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7/);
  expect(body).toEqual({ id, postId: 'p', content: 'A comment', status: 'pending', createdAt });
  expect(headers.location).toBe(`/posts/p/comments#${id}`);
  expect((await stored()).map(({ event }) => JSON.parse(event))).toEqual([
    {
      ...{ specversion: '1.0', id: `${id}/CommentCreated`, source: 'comments', type: 'CommentCreated', subject: id },
      ...{ time: createdAt, data: body },
    },
  ]);
});

test('GET answers the comments of that post in the order they were written, and [] for an unknown post', async () => {
  const [a, b] = [(await send('a')).body, (await send('b')).body];
  expect(await list()).toEqual([
    { ...a, seq: 1 },
    { ...b, seq: 2 },
  ]);
  expect(await list('unknown')).toEqual([]);
});

test('a list continues after its cursor, which must be of the same post', async () => {
  const ids: string[] = [];
  for (const content of ['a', 'b', 'c']) ids.push((await send(content)).body.id);
  const pages = await service.pages('/posts/p/comments?limit=2');
  expect(pages.map((page) => page.map(({ id }: { id: string }) => id))).toEqual([ids.slice(0, 2), ids.slice(2)]);
  await service.push(postCreated('other')).expect(200);
  const { body } = await service.http.get(`/posts/other/comments?cursor=${ids[0]}`).expect(400);
  expect(body.errors).toEqual([{ field: 'cursor', detail: expect.any(String) }]);
});

test('a post id of another maker may hold anything', async () => {
  const id = '__proto__/ é?#%';
  await service.push(postCreated(id)).expect(200);
  const { body, headers } = await send('a', undefined, encodeURIComponent(id)).expect(201);
  expect([body.postId, headers.location]).toEqual([id, `/posts/${encodeURIComponent(id)}/comments#${body.id}`]);
  expect(await list(encodeURIComponent(id))).toEqual([{ ...body, seq: 1 }]);
});

describe('is refused, and neither stored nor published:', () => {
  test.each([
    ['no content', undefined],
    ['content that is no string', { a: 1 }],
    ['whitespace', ' \n'],
    ['2,001 characters', '🍊'.repeat(2_001)],
    ['a NUL', '\0'],
  ])('%s', async (_, content) => {
    const { body, type } = await send(content, 'key').expect(400);
    expect(type).toBe('application/problem+json');
    expect(body.errors).toEqual([{ field: 'content', detail: expect.any(String) }]);
    expect([await list(), await stored()]).toEqual([[], []]);
    // The refused request has used up no key.
    await send('🍊'.repeat(2_000), 'key').expect(201);
  });

  test.each([['x'.repeat(201)], ['%ff']])('the post id %s', async (id) => {
    const { type } = await send('a', undefined, id).expect(400);
    expect(type).toBe('application/problem+json');
  });

  test('another method (405), another media type (415)', async () => {
    expect((await service.http.put('/posts/p/comments').expect(405)).headers.allow).toBe('GET, POST');
    await service.http.post('/posts/p/comments').type('form').send('content=a').expect(415);
    expect(await stored()).toEqual([]);
  });
});

describe('with an Idempotency-Key', () => {
  test('the same request gets the first answer again: after its verdict, after a restart, and while the bus is down', async () => {
    const first = await send('a', 'key').expect(201);
    await service.push({ type: 'CommentModerated', data: { ...first.body, status: 'approved' } }).expect(200);
    await service.close();
    service = await startComments({ folder });
    const again = await send(' a ', 'key').expect(201);
    expect([again.body, again.headers.location]).toEqual([first.body, first.headers.location]);
    expect(await list()).toEqual([{ ...first.body, status: 'approved', seq: 1 }]);
  });

  test('twenty concurrent requests make one comment and one event, and all get the same answer', async () => {
    const answers = await Promise.all(Array.from({ length: 20 }, () => send('a', 'key')));
    expect(new Set(answers.map(({ status, body }) => `${status} ${body.id}`)).size).toBe(1);
    expect([(await list()).length, (await stored()).length]).toEqual([1, 1]);
  });

  test('other content, or another post, is a 422; an invalid key is a 400', async () => {
    await service.push(postCreated('other')).expect(200);
    await send('a', 'key').expect(201);
    for (const refused of [send('b', 'key'), send('a', 'key', 'other')]) {
      const { body } = await refused.expect(422);
      expect(body.errors).toEqual([{ field: 'Idempotency-Key', detail: expect.any(String) }]);
    }
    await send('a', 'a b').expect(400);
    expect((await stored()).length).toBe(1);
  });

  test('the id comes from the key, and is another one than that of a post with the same key', async () => {
    const { body } = await send('a', 'key').expect(201);
    expect(body.id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-a/);
    expect(body.id).toBe(newId('comments', 'key'));
    expect(body.id).not.toBe(newId('posts', 'key'));
  });

  test('if another copy was first with this key the log replaces post and content, and the status stays', async () => {
    const { body: mine } = await send('mine', 'key').expect(201);
    await service.push({ type: 'CommentModerated', data: { ...mine, status: 'approved' } }).expect(200);
    const data = { ...mine, postId: 'q', content: 'theirs', createdAt: '2026-01-01T00:00:00.000Z' };
    const named = { id: `${mine.id}/CommentCreated`, source: 'comments', type: 'CommentCreated' };
    for (let i = 0; i < 2; i += 1) await service.push({ ...named, data }).expect(200);
    expect(await list()).toEqual([]);
    expect(await list('q')).toEqual([{ ...data, status: 'approved', seq: 1 }]);
    await send('mine', 'key').expect(422);
    const [row] = await service.rows<{ event: string }>('SELECT event FROM comments');
    expect(JSON.parse(row?.event ?? '')).toEqual({ ...named, data });
  });

  test('a key of a comment from before ids came from keys still answers with that comment', async () => {
    await service.db.write((tx) =>
      tx.run("INSERT INTO comments (id, postId, content, idempotencyKey) VALUES ('old', 'p', 'a', 'key')"),
    );
    expect((await send('a', 'key').expect(201)).body).toMatchObject({ id: 'old', content: 'a' });
    await send('b', 'key').expect(422);
  });
});

test('a page on a loopback origin may call, one on another origin may not', async () => {
  const asked = async (origin: string) =>
    (await service.http.get('/posts/p/comments').set('Origin', origin)).headers['access-control-allow-origin'];
  expect(await asked('http://localhost:3000')).toBe('http://localhost:3000');
  expect(await asked('http://example.com')).toBeUndefined();
});
