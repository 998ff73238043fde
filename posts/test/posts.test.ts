// The routes of the posts service.

import { afterAll, afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { at } from '../../common/test/fake-bus.ts';
import { newFolder, removeFolders, type Service } from '../../common/test/service.ts';
import { startPosts, UUID_V7 } from './posts-service.ts';

let service: Service;
beforeEach(async () => {
  service = await startPosts();
});
afterEach(() => service.close());
afterAll(removeFolders);

const create = async (title: string) => (await service.http.post('/posts').send({ title }).expect(201)).body;

test.each(['/posts', '/posts/create'])('POST %s answers 201 with the post, and its Location', async (path) => {
  const { status, body, headers } = await service.http.post(path).send({ title: '  A title \n' });
  expect(status).toBe(201);
  expect(body).toEqual({ id: expect.stringMatching(UUID_V7), title: 'A title', createdAt: expect.any(String) });
  expect(new Date(body.createdAt).toISOString()).toBe(body.createdAt);
  expect(headers.location).toBe(`/posts/${body.id}`);
});

test('GET /posts answers an object keyed by id', async () => {
  const [a, b] = [await create('a'), await create('b')];
  const { body } = await service.http.get('/posts').expect(200);
  expect(body).toEqual({ [a.id]: { ...a, seq: 1 }, [b.id]: { ...b, seq: 2 } });
});

test('a post and the event that announces it are stored together', async () => {
  const post = await create('a');
  const [row] = await service.rows<{ event: string }>('SELECT event FROM outbox');
  expect(JSON.parse(String(row?.event))).toEqual({
    ...{ specversion: '1.0', id: `${post.id}/PostCreated`, source: 'posts', type: 'PostCreated', subject: post.id },
    ...{ time: post.createdAt, data: post },
  });
});

const TRACEPARENT = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

describe('the event has the traceparent of the request', () => {
  const stored = async (traceparent: string) => {
    const request = service.http.post('/posts').set('traceparent', traceparent);
    const { id } = (await request.send({ title: 'a' }).expect(201)).body;
    const [row] = await service.rows<{ event: string }>(`SELECT event FROM posts WHERE id = '${id}'`);
    return JSON.parse(String(row?.event)).traceparent;
  };

  test('if it is valid', async () => {
    expect(await stored(TRACEPARENT)).toBe(TRACEPARENT);
  });

  test('of a later version is cut to the fields of this one', async () => {
    expect(await stored(`cc${TRACEPARENT.slice(2)}-what-the-future-brings`)).toBe(TRACEPARENT);
  });

  test.each([
    'x',
    TRACEPARENT.slice(0, -1),
    `${TRACEPARENT}-`,
    `${TRACEPARENT}, ${TRACEPARENT}`,
    TRACEPARENT.toUpperCase(),
    `ff${TRACEPARENT.slice(2)}`,
    `cc${TRACEPARENT.slice(2)}x`,
    '00-00000000000000000000000000000000-b7ad6b7169203331-01',
    '00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01',
  ])('and none where it is %j', async (invalid) => {
    expect(await stored(invalid)).toBeUndefined();
  });

  test('and keeps it when a replay publishes it again', async () => {
    await stored(TRACEPARENT);
    await service.push([], { after: at(0), upto: at(0), replay: 'r1' }).expect(200);
    const rows = await service.rows<{ event: string }>('SELECT event FROM outbox');
    expect(rows.map(({ event }) => JSON.parse(event).traceparent)).toEqual([TRACEPARENT, TRACEPARENT]);
  });
});

test('a list continues after its cursor, page by page, as its Link says', async () => {
  const ids: string[] = [];
  for (const title of ['a', 'b', 'c', 'd', 'e']) ids.push((await create(title)).id);
  const pages = await service.pages('/posts?limit=2');
  expect(pages.map(Object.keys)).toEqual([ids.slice(0, 2), ids.slice(2, 4), ids.slice(4)]);
});

test('a list holds 1,000 items unless limited', async () => {
  const events = Array.from({ length: 1_001 }, (_, i) => ({ type: 'PostCreated', data: { id: `p${i}`, title: 't' } }));
  await service.history(events).expect(200);
  const { body, headers } = await service.http.get('/posts').expect(200);
  expect(Object.keys(body).length).toBe(1_000);
  expect(headers.link).toBe('</posts?cursor=p999>; rel="next"');
});

test.each([
  ['limit=0', 'limit'],
  ['limit=1001', 'limit'],
  ['limit=many', 'limit'],
  ['limit=', 'limit'],
  ['limit=0x10', 'limit'],
  ['limit=+5', 'limit'],
  ['limit=1.5', 'limit'],
  ['limit=1&limit=2', 'limit'],
  ['cursor=nobody', 'cursor'],
  ['cursor=', 'cursor'],
])('GET /posts?%s is a 400 that names %s', async (query, field) => {
  const { body } = await service.http.get(`/posts?${query}`).expect(400);
  expect(body.errors).toEqual([{ field, detail: expect.any(String) }]);
});

describe('a page on another origin', () => {
  const asked = async (origin: string, from: Service = service) =>
    (await from.http.get('/posts').set('Origin', origin)).headers['access-control-allow-origin'];

  test.each(['http://localhost:3000', 'https://localhost', 'http://127.0.0.1:5173', 'http://[::1]:8080'])(
    'may call from %s',
    async (origin) => {
      expect(await asked(origin)).toBe(origin);
      const preflight = service.http.options('/posts').set({ Origin: origin, 'Access-Control-Request-Method': 'POST' });
      const { status, headers } = await preflight.set(
        'Access-Control-Request-Headers',
        'content-type,idempotency-key,traceparent',
      );
      expect([status, headers['access-control-allow-origin']]).toEqual([204, origin]);
      expect(headers['access-control-allow-headers']).toBe('content-type,idempotency-key,traceparent');
      const refused = await service.http.post('/posts').set('Origin', origin).send({}).expect(400);
      expect(refused.headers['access-control-allow-origin']).toBe(origin);
    },
  );

  test.each(['http://example.com', 'http://localhost.example.com', 'http://127.0.0.1.example.com:3000', 'null'])(
    'may not from %s',
    async (origin) => {
      expect(await asked(origin)).toBeUndefined();
      for (const path of ['/posts', '/posts/create', '/events']) {
        await service.http.post(path).set('Origin', origin).send({ title: 'theirs' }).expect(403);
        await service.http.post(path).type('form').send({ title: 'theirs' }).expect(415);
        await service.http.post(path).type('text/plain').send('{"title":"theirs"}').expect(415);
      }
      expect(await service.rows('SELECT id FROM posts')).toEqual([]);
      expect(await service.rows('SELECT seq FROM outbox')).toEqual([]);
    },
  );

  test('may call from those that are set, and from no other', async () => {
    const other = await startPosts({ env: { CORS_ORIGINS: 'https://blog.example.com, https://second.example.com' } });
    expect(await asked('https://second.example.com', other)).toBe('https://second.example.com');
    expect(await asked('http://localhost:3000', other)).toBeUndefined();
    await other.close();
    const open = await startPosts({ env: { CORS_ORIGINS: '*' } });
    expect(await asked('https://anybody.example.com', open)).toBe('*');
    await open.close();
  });
});

test('an unknown address is a 404, another method a 405 that names the methods', async () => {
  expect((await service.http.get('/elsewhere').expect(404)).type).toBe('application/problem+json');
  expect((await service.http.delete('/posts').expect(405)).headers.allow).toBe('GET, POST');
  expect((await service.http.get('/posts/create').expect(405)).headers.allow).toBe('POST');
  expect((await service.http.post('/healthz').expect(405)).headers.allow).toBe('GET');
});

test('it is live and ready while the bus is down, and reports that as degraded', async () => {
  await service.close();
  const folder = newFolder();
  service = await startPosts({ folder });
  await service.history([]).expect(200);
  await service.close();
  service = await startPosts({ folder });
  expect((await service.http.get('/healthz').expect(200)).body).toEqual({ status: 'ok', version: '1.0.0' });
  expect((await service.http.get('/readyz').expect(200)).body).toEqual({
    status: 'ready',
    degraded: ['The bus was not heard from lately.'],
  });
});

test('a full disk is answered 507 without internals, and reads continue', async () => {
  const { body: post } = await service.http.post('/posts').send({ title: 'a' });
  await service.db.write((tx) => tx.all('PRAGMA max_page_count = 1'));
  const answers = await Promise.all(
    Array.from({ length: 40 }, () => service.http.post('/posts').send({ title: 'é'.repeat(200) })),
  );
  const full = answers.filter(({ status }) => status !== 201);
  expect(full.length).toBeGreaterThan(0);
  for (const { status, body, headers } of full) {
    expect([status, headers['retry-after']]).toEqual([507, '5']);
    expect(body).toEqual({ type: 'about:blank', title: 'Insufficient Storage', status, detail: expect.any(String) });
  }
  const { body } = await service.http.get('/posts').expect(200);
  expect(Object.keys(body)).toEqual([post.id, ...answers.filter((a) => a.status === 201).map((a) => a.body.id)]);
});
