// Classic parts work with any one of ours among them: with numbers as ids and texts, missing and unknown fields, and
// paths in any case.
import { afterAll, afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { startComments } from '../comments/test/comments-service.ts';
import { FakeBus, type Json } from '../common/test/fake-bus.ts';
import { defined, newFolder, removeFolders, Service, until } from '../common/test/service.ts';
import { until as holds, startBus, startPart } from '../event-bus/test/bus.ts';
import { plain } from '../event-bus/test/subscribers.ts';
import { moderation } from '../moderation/src/app.ts';
import { startQuery } from '../query/test/query-service.ts';

let bus: FakeBus;
let service: Service;
const running: Service[] = [];
async function run(started: Promise<Service>): Promise<void> {
  service = await started;
  running.push(service);
}
beforeEach(async () => {
  bus = await new FakeBus().open();
  bus.mode = 'classic';
});
afterEach(async () => {
  for (const one of running.splice(0)) await one.close();
  await bus.close();
});
afterAll(removeFolders);

const startModeration = () => new Service(defined(moderation), bus.url, newFolder()).open();

describe('a classic bus pushes to our query', () => {
  beforeEach(() => run(startQuery()));

  type Row = [what: string, events: object[], shown: Json];
  const rows: Row[] = [
    [
      'ids that are numbers',
      [
        { type: 'PostCreated', data: { id: 1, title: 'a' } },
        { type: 'CommentCreated', data: { id: 2, postId: '1', content: 'b', status: 'pending' } },
        { type: 'CommentUpdated', data: { id: 2, postId: 1, content: 'b', status: 'approved' } },
      ],
      { 1: { id: '1', title: 'a', commentCount: 1, comments: [{ id: '2', content: 'b', status: 'approved' }] } },
    ],
    [
      'texts that are numbers',
      [
        { type: 'PostCreated', data: { id: 'p', title: 2026 } },
        { type: 'CommentCreated', data: { id: 'c', postId: 'p', content: 5 } },
      ],
      { p: { title: '2026', comments: [{ content: '5', status: 'pending' }] } },
    ],
    [
      'an update without the text, and a verdict that is none',
      [
        { type: 'PostCreated', data: { id: 'p', title: 'a' } },
        { type: 'CommentCreated', data: { id: 'c', postId: 'p', content: 'b', status: 'pending' } },
        { type: 'CommentUpdated', data: { id: 'c', postId: 'p', status: 'approved' } },
        { type: 'CommentUpdated', data: { id: 'c', postId: 'p', status: 'pending' } },
      ],
      { p: { comments: [{ content: 'b', status: 'approved' }] } },
    ],
    [
      'ids of four bytes in hex, one of which looks like a number, and unknown fields',
      [
        { type: 'PostCreated', data: { id: '12345678', title: 'a', author: { name: 'x' } }, more: 1 },
        { type: 'CommentCreated', data: { id: '0e1f2a3b', postId: '12345678', content: 'b', likes: 3 } },
      ],
      { 12345678: { id: '12345678', comments: [{ id: '0e1f2a3b', content: 'b' }] } },
    ],
  ];
  test.each(rows)('%s', async (_what, events, shown) => {
    for (const event of events) await service.push(event).expect(200);
    for (const path of ['/posts', '/posts/', '/Posts', '/posts?_=1'])
      expect((await service.http.get(path).expect(200)).body).toMatchObject(shown);
  });
});

test.each([
  ['is text', { id: 'c', postId: 'p', content: 'an orange' }, 'rejected'],
  ['has a number as its id', { id: 7, postId: 1, content: 'fine' }, 'approved'],
  ['has a number as its text', { id: 'c', postId: 'p', content: 5 }, 'approved'],
  ['has no text', { id: 'c', postId: 'p' }, 'approved'],
])(
  'our moderation sends a classic comments service its verdict in the classic form: a comment that %s',
  async (_, data, status) => {
    await run(startModeration());
    await service.push({ type: 'CommentCreated', data: { ...data, status: 'pending' } }).expect(200);
    const verdict = await until(() => bus.log.find(({ type }) => type === 'CommentModerated'));
    expect(verdict.data).toEqual({ ...data, status });
    expect(typeof verdict.subject).toBe('string');
  },
);

test('our comments service accepts a comment on a post that a classic posts service numbered', async () => {
  await run(startComments({ busUrl: bus.url }));
  await service.push({ type: 'PostCreated', data: { id: 1, title: 'a' } }).expect(200);
  const { body } = await service.http.post('/posts/1/comments/').send({ content: 'b', more: 1 }).expect(201);
  expect(body).toMatchObject({ postId: '1', content: 'b', status: 'pending' });
  expect((await service.http.get('/posts/1/comments').expect(200)).body).toMatchObject([{ id: body.id }]);
  await service.push({ type: 'CommentModerated', data: { ...body, status: 'approved' } }).expect(200);
  const update = await until(() => bus.log.find(({ type }) => type === 'CommentUpdated'));
  expect(update.data).toMatchObject({ id: body.id, postId: '1', content: 'b', status: 'approved' });
});

test.each([
  ['numbers, null and members of any name', { type: 'PostCreated', data: { id: 1, title: null }, User: { a: [1.5] } }],
  ['no data', { type: 'Cleared' }],
  ['data that is a text', { type: 'Said', data: 'hello' }],
])('our bus passes on the events between classic services: %s', async (_what, event) => {
  const part = await startPart(plain().answer);
  const ours = await startBus({ subscriptions: { part } });
  for (const path of ['/events', '/events/', '/Events?a=1']) await ours.http.post(path).send(event).expect(201);
  await holds(() => expect(part.pushes).toHaveLength(3));
  for (const { events } of part.pushes) expect(events).toMatchObject([event]);
});
