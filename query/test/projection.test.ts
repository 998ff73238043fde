// The projection: events to the rows of the read model.

import { afterAll, afterEach, beforeEach, expect, test } from '@jest/globals';
import type { Json } from '../../common/test/fake-bus.ts';
import { removeFolders, type Service } from '../../common/test/service.ts';
import { comment, post, startQuery, updated } from './query-service.ts';

let service: Service;
beforeEach(async () => {
  service = await startQuery();
});
afterEach(() => service.close());
afterAll(removeFolders);

const apply = (...events: object[]) => service.push(events).expect(200);
/** The whole read model in its order, without the revisions of the last changes. */
const model = async (of = service) => ({ posts: await rows(of, 'posts'), comments: await rows(of, 'comments') });
const rows = async (of: Service, table: string) =>
  (await of.rows<Json>(`SELECT * FROM ${table} ORDER BY seq`)).map(({ revision: _, ...row }) => row);
const revision = () => service.rows('SELECT revision FROM model');
const show = async (id: string) => (await service.http.get(`/posts/${encodeURIComponent(id)}`).expect(200)).body;

test('a comment that came before its post is shown and counted when the post comes', async () => {
  await apply(comment('c1', 'p'), updated('c2', 'p', 'approved'));
  await service.http.get('/posts/p').expect(404);
  await apply(post('p'), comment('c3', 'p'));
  const { comments, commentCount } = await show('p');
  expect(comments.map(({ id }: { id: string }) => id)).toEqual(['c1', 'c2', 'c3']);
  expect(commentCount).toBe(3);
});

test('missing fields are filled in, and known ones never cleared or replaced', async () => {
  await apply({ ...post('p', {}), time: '2026-01-01T00:00:00Z' }, post('p', { title: 'first' }));
  await apply(post('p', { title: 'second', createdAt: '2030-01-01T00:00:00Z' }), post('p', { title: null }));
  await apply(comment('c', 'p', {}), comment('c', 'p', { content: 'first', createdAt: '2026-01-02T00:00:00Z' }));
  await apply(updated('c', 'p', 'approved', { content: 'second' }), comment('c', 'p', {}));
  expect(await show('p')).toMatchObject({
    ...{ title: 'first', createdAt: '2026-01-01T00:00:00Z' },
    comments: [{ content: 'first', createdAt: '2026-01-02T00:00:00Z', status: 'approved' }],
  });
});

test.each([undefined, 5, null])('a createdAt that is %s is the time of the event', async (createdAt) => {
  const time = '2026-01-01T00:00:00Z';
  await apply({ ...post('p', { createdAt }), time }, { ...comment('c', 'p', { createdAt }), time });
  expect(await show('p')).toMatchObject({ createdAt: time, comments: [{ createdAt: time }] });
});

test('what comes again takes no number: the next post or comment has the next `seq`', async () => {
  await apply(
    post('p'),
    post('p', {}),
    post('p', { createdAt: 'then' }),
    comment('c', 'p'),
    updated('c', 'p', 'approved'),
  );
  await apply(comment('c', 'p'), comment('d', 'p'), post('q'));
  expect((await show('p')).comments).toMatchObject([{ seq: 1 }, { seq: 2 }]);
  expect((await show('q')).seq).toBe(2);
});

test('a status never goes back, and a second verdict never replaces the first', async () => {
  const status = async () => (await show('p')).comments[0].status;
  await apply(post('p'), comment('c', 'p'));
  expect(await status()).toBe('pending');
  await apply(updated('c', 'p', 'rejected'));
  expect(await status()).toBe('rejected');
  await apply(updated('c', 'p', 'approved'), updated('c', 'p', 'pending'), comment('c', 'p'));
  expect(await status()).toBe('rejected');
});

test('a verdict that came before its comment stands', async () => {
  await apply(post('p'), updated('c', 'p', 'approved'), comment('c', 'p'));
  expect((await show('p')).comments).toMatchObject([{ id: 'c', status: 'approved', content: 'content of c' }]);
});

test('events of moderation and of unknown types change nothing', async () => {
  await apply(post('p'), comment('c', 'p'));
  const before = [await model(), await revision()];
  await apply({ type: 'CommentModerated', data: { id: 'c', postId: 'p', status: 'approved' } }, { type: 'PostPinned' });
  expect([await model(), await revision()]).toEqual(before);
});

test('a replay order has nothing to publish and changes nothing', async () => {
  const events = [post('p'), comment('c', 'p')];
  await service.history(events).expect(200);
  const before = [await model(), await revision()];
  const replay = { after: `0-${'a'.repeat(32)}`, upto: `2-${'a'.repeat(32)}`, replay: 'r1' };
  const { body } = await service.push(events, replay).expect(200);
  expect(body.replay).toBe('r1');
  expect([await model(), await revision()]).toEqual(before);
});
