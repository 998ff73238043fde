// The events that the comments service handles.

import { afterAll, afterEach, beforeEach, expect, test } from '@jest/globals';
import { at, FakeBus } from '../../common/test/fake-bus.ts';
import { removeFolders, type Service, until } from '../../common/test/service.ts';
import { postCreated, startComments } from './comments-service.ts';

let bus: FakeBus;
let service: Service;
beforeEach(async () => {
  bus = await new FakeBus().open();
  service = await startComments({ busUrl: bus.url });
  await service.push(postCreated('p')).expect(200);
});
afterEach(async () => {
  await service.close();
  await bus.close();
});
afterAll(removeFolders);

const comment = async () => (await service.http.post('/posts/p/comments').send({ content: 'a' }).expect(201)).body;
const list = async () => (await service.http.get('/posts/p/comments').expect(200)).body;
const moderated = (data: object) => service.push({ type: 'CommentModerated', data }).expect(200);
const published = (type: string) => bus.publications.flatMap(({ body }) => body).filter((event) => event.type === type);

test('a verdict changes a pending comment, and is published as CommentUpdated', async () => {
  const { id, postId, content } = await comment();
  await moderated({ id, postId, content, status: 'rejected' });
  expect(await list()).toMatchObject([{ id, status: 'rejected' }]);
  await until(() => published('CommentUpdated').length === 1);
  expect(published('CommentUpdated')[0]).toMatchObject({
    ...{ id: `${id}/CommentUpdated`, source: 'comments', subject: id },
    data: { id, postId, content, status: 'rejected' },
  });
});

test('events caused by a request or an event have its trace', async () => {
  const [asked, judged] = ['1', '2'].map((digit) => `00-${digit.repeat(32)}-b7ad6b7169203331-01`) as [string, string];
  const request = service.http.post('/posts/p/comments').set('traceparent', asked);
  const { id } = (await request.send({ content: 'a' }).expect(201)).body;
  const verdict = { type: 'CommentModerated', data: { id, postId: 'p', status: 'approved' } };
  await service.push({ ...verdict, traceparent: judged }).expect(200);
  await until(() => published('CommentUpdated').length === 1);
  expect(published('CommentCreated')[0].traceparent).toBe(asked);
  expect(published('CommentUpdated')[0].traceparent).toBe(judged);
});

test('the first verdict stands; a later one only publishes it again', async () => {
  const { id, postId } = await comment();
  for (const status of ['approved', 'rejected', 'approved']) await moderated({ id, postId, status });
  expect(await list()).toMatchObject([{ id, status: 'approved', content: 'a' }]);
  await until(() => published('CommentUpdated').length === 3);
  const said = published('CommentUpdated').map(({ id, data }) => ({ id, data }));
  const updated = { id: `${id}/CommentUpdated`, data: { id, postId, content: 'a', status: 'approved' } };
  expect(said).toEqual([updated, updated, updated]);
});

test.each([undefined, 'pending', 'maybe', 5])('a CommentModerated whose status is %s is no verdict', async (status) => {
  const { id, postId } = await comment();
  await moderated({ id, postId, status });
  expect(await list()).toMatchObject([{ id, status: 'pending' }]);
  await comment();
  await until(() => published('CommentCreated').length === 2);
  expect(published('CommentUpdated')).toEqual([]);
});

test('a verdict before its comment is kept, and the other fields come from the comment', async () => {
  await moderated({ id: 'c', postId: 'p', status: 'approved' });
  expect(await list()).toMatchObject([{ id: 'c', postId: 'p', content: null, status: 'approved', createdAt: null }]);
  const data = { id: 'c', postId: 'p', content: 'a', status: 'pending' };
  const event = { id: 'e', source: 's', type: 'CommentCreated', time: '2026-01-01T00:00:00Z', data };
  await service.push(event).expect(200);
  await service.push({ ...event, data: { id: 'c', postId: 'p', content: 'another', createdAt: 7 } }).expect(200);
  expect(await list()).toMatchObject([{ ...data, status: 'approved', createdAt: event.time }]);
});

test('its own event, also when repeated, changes nothing and publishes nothing', async () => {
  const made = await comment();
  await until(() => bus.log.length === 1);
  const [event] = bus.log;
  await moderated({ id: made.id, postId: 'p', status: 'approved' });
  for (let i = 0; i < 2; i += 1) await service.push(event).expect(200);
  expect(await list()).toEqual([{ ...made, status: 'approved', seq: 1 }]);
  await until(async () => (await service.rows('SELECT 1 FROM outbox')).length === 0);
  expect(bus.publications.length).toBe(2);
});

test('a wiped database gets back comments, verdicts and known posts from the log, and the log gets nothing new', async () => {
  const [a, b] = [await comment(), await comment()];
  await moderated({ id: b.id, postId: 'p', content: 'a', status: 'rejected' });
  await until(() => bus.log.length === 3);
  await service.close();
  service = await startComments({ busUrl: bus.url });
  const verdict = { type: 'CommentModerated', data: { id: b.id, postId: 'p', content: 'a', status: 'rejected' } };
  const before = [...bus.log];
  await service.history([postCreated('p'), ...before.slice(0, 2), verdict, ...before.slice(2)]).expect(200);
  expect(await list()).toEqual([
    { ...a, seq: 1 },
    { ...b, status: 'rejected', seq: 2 },
  ]);
  await comment();
  await until(() => bus.log.length === 4);
  expect(bus.log.slice(0, 3)).toEqual(before);
});

test('taking a replay order publishes its comments again, in order, with their first content', async () => {
  for (let i = 0; i < 3; i += 1) await comment();
  await moderated({ id: 'unknown', postId: 'p', status: 'approved' });
  await until(() => bus.log.length === 4);
  const announced = bus.log.slice(0, 3);
  bus.log = [];
  bus.publications = [];
  await service.push([], { after: at(0, 'b'), upto: at(0, 'b'), replay: 'r1' }).expect(200);
  await until(() => bus.log.length === 3);
  expect(bus.log).toEqual(announced);
  expect(bus.publications[0]?.headers['event-published']).toBe(at(0, 'b'));
});
