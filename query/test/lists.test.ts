// The lists of query: order, pages and limits.

import { afterAll, afterEach, beforeEach, expect, test } from '@jest/globals';
import type { Json } from '../../common/test/fake-bus.ts';
import { newFolder, removeFolders, type Service } from '../../common/test/service.ts';
import { comment, post, startQuery, updated } from './query-service.ts';

let service: Service;
beforeEach(async () => {
  service = await startQuery();
});
afterEach(() => service.close());
afterAll(removeFolders);

const apply = (...events: object[]) => service.push(events).expect(200);
const many = (count: number, make: (i: number) => object) => Array.from({ length: count }, (_, i) => make(i + 1));
const list = (query = '') => service.http.get(`/posts${query}`).expect(200);
const ids = (items: Json) => Object.values<Json>(items).map(({ id }) => id);

test('GET /posts answers an object keyed by id, with the comments of each post', async () => {
  await apply(post('p', { title: 't', createdAt: 'then' }), comment('c', 'p', { content: 'x', createdAt: 'later' }));
  const { body } = await list();
  expect(body).toMatchObject({ p: { id: 'p', title: 't', createdAt: 'then', seq: 1, commentCount: 1 } });
  const made = { id: 'c', postId: 'p', content: 'x', status: 'pending', createdAt: 'later', seq: 1 };
  expect(body.p.comments).toMatchObject([made]);
  expect((await service.http.get('/posts/p').expect(200)).body).toEqual(body.p);
  expect((await startedEmpty()).body).toEqual({});
});

async function startedEmpty() {
  const other = await startQuery();
  const answer = await other.http.get('/posts').expect(200);
  await other.close();
  return answer;
}

test('posts come newest first, 50 unless limited, and continue as the Link says', async () => {
  await apply(...many(120, (i) => post(`p${i}`)));
  const pages = await service.pages('/posts');
  expect(pages.map((page) => ids(page).length)).toEqual([50, 50, 20]);
  expect(pages.flatMap(ids)).toEqual(
    many(120, (i) => ({ id: `p${121 - i}` })).map((item) => (item as { id: string }).id),
  );
  const { body, headers } = await list('?limit=2&cursor=p10');
  expect([ids(body), headers.link]).toEqual([['p9', 'p8'], '</posts?limit=2&cursor=p8>; rel="next"']);
});

test('every item keeps the order of the log, also with ids that look like numbers or like __proto__', async () => {
  const made = ['b', '10', '__proto__', '9', 'a'];
  await apply(...made.map((id) => post(id)), ...made.map((id) => comment(id, 'b')));
  const body = JSON.parse((await list().buffer()).text);
  expect(Object.keys(body).sort()).toEqual([...made].sort());
  const bySeq = (items: Json) => Object.values<Json>(items).sort((x, y) => x.seq - y.seq);
  expect(bySeq(body).map(({ id }) => id)).toEqual(made);
  expect(bySeq(body.b.comments).map(({ id }) => id)).toEqual(made);
});

test('a post carries its first 50 comments and the number of all, whatever their status; the rest follows by cursor', async () => {
  await apply(
    post('p'),
    ...many(120, (i) => comment(`c${i}`, 'p')),
    updated('c3', 'p', 'rejected'),
    updated('c9', 'p', 'approved'),
  );
  const [shown] = Object.values<Json>((await list()).body);
  expect([shown.comments.length, shown.commentCount]).toEqual([50, 120]);
  const pages = await service.pages('/posts/p');
  expect(pages.map(({ comments }) => comments.length)).toEqual([50, 50, 20]);
  expect(pages.flatMap(({ comments }) => ids(comments))).toEqual(ids(many(120, (i) => ({ id: `c${i}` }))));
  expect(pages.map(({ commentCount }) => commentCount)).toEqual([120, 120, 120]);
});

test('the first 50 comments fit also if each is as long as can be, and longer in JSON', async () => {
  const content = '\u0001'.repeat(2_000);
  await apply(post('p'), ...many(50, (i) => comment(`c${i}`, 'p', { content })));
  const [shown] = Object.values<Json>((await list()).body);
  expect(shown.comments).toHaveLength(50);
});

test('an answer names the stream position of its own snapshot', async () => {
  const positions: number[] = [];
  for (const id of ['a', 'b']) {
    await apply(post(id));
    const { headers } = await list();
    expect(headers['stream-position']).toMatch(/^[0-9a-f-]{32,36}-\d+$/);
    expect((await service.http.get(`/posts/${id}`)).headers['stream-position']).toBe(headers['stream-position']);
    positions.push(Number(/\d+$/.exec(String(headers['stream-position']))));
  }
  expect(positions).toEqual([1, 2]);
});

test.each([
  ['/posts?cursor=nobody', 400, 'cursor'],
  ['/posts?limit=0', 400, 'limit'],
  ['/posts/p?cursor=nobody', 400, 'cursor'],
  ['/posts/p?cursor=elsewhere', 400, 'cursor'],
  ['/posts/p?limit=1001', 400, 'limit'],
  ['/posts/nobody', 404, 'id'],
  [`/posts/${'x'.repeat(201)}`, 400, 'id'],
])('GET %s is a %i that names %s', async (path, status, field) => {
  await apply(post('p'), post('q'), comment('elsewhere', 'q'));
  const { body, type } = await service.http.get(path).expect(status);
  expect(type).toBe('application/problem+json');
  expect(body.errors).toEqual([{ field, detail: expect.any(String) }]);
});

test('query is read-only: another method is a 405', async () => {
  for (const path of ['/posts', '/posts/p', '/stream']) {
    expect((await service.http.post(path).send({}).expect(405)).headers.allow).toBe('GET');
  }
});

test('a list that was just read includes changes that another process of this service has applied since', async () => {
  const folder = newFolder();
  const [now, old] = [await startQuery(folder), await startQuery(folder)];
  await now.http.get('/posts').expect(200, {});
  await old.push([post('p')]).expect(200);
  expect(ids((await now.http.get('/posts').expect(200)).body)).toEqual(['p']);
  await Promise.all([now.close(), old.close()]);
});
