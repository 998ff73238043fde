// Events that arrive before the one they depend on: a comment before its post, a verdict before its comment.
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { check, takeSnapshot, type Write } from '../lib/checker.ts';
import { get, post } from '../lib/http.ts';
import { type System, startSystem } from '../lib/system.ts';

let system: System;

beforeAll(async () => {
  system = await startSystem('--production', '--without', 'client');
});
afterAll(() => system?.stop());

const publish = async (type: string, data: object) => {
  expect((await post(`${system.url('event-bus')}/events`, { type, data })).status).toBe(201);
};
const atQuery = (id: string) => get(`${system.url('query')}/posts/${id}`);
const atComments = async (id: string) => (await get(`${system.url('comments')}/posts/${id}/comments`)).body;

test('a comment before its post is kept and judged, and shown and counted as soon as the post arrives', async () => {
  const [early, late] = ['fine, and early', 'early, with an orange'].map((content, n) => ({
    ...{ id: `early-${n}`, postId: 'late-post', content },
  }));
  await publish('CommentCreated', { ...early, status: 'pending' });
  await publish('CommentCreated', { ...late, status: 'pending' });
  await system.quiet();
  const judged = [
    { ...early, status: 'approved' },
    { ...late, status: 'rejected' },
  ].map(({ postId, ...comment }) => comment);
  expect(await atComments('late-post')).toMatchObject(judged);
  expect((await atQuery('late-post')).status).toBe(404);

  // Early events are kept on disk.
  await Promise.all(['query', 'comments'].map(system.killPart));
  await publish('PostCreated', { id: 'late-post', title: 'late' });
  await system.quiet();
  expect((await atQuery('late-post')).body).toMatchObject({ title: 'late', commentCount: 2, comments: judged });
  const writes: Write[] = [
    { kind: 'post', id: 'late-post', text: 'late', key: 'late', outcome: 'acknowledged' },
    ...judged.map(
      ({ id = '', content = '' }): Write => ({
        ...{ kind: 'comment', id, postId: 'late-post', text: content, key: id, outcome: 'acknowledged' },
      }),
    ),
  ];
  expect(check(writes, await takeSnapshot(system))).toEqual([]);
});

test('a verdict before its comment, which comes before its post, stands, and later events clear no field', async () => {
  const known = { id: 'judged-early', postId: 'latest-post' };
  const comment = { ...known, content: 'first judged, then written' };
  await publish('CommentUpdated', { ...comment, status: 'rejected' });
  await publish('CommentModerated', { ...comment, status: 'rejected' });
  await system.quiet();
  await publish('CommentCreated', { ...known, status: 'pending' });
  await system.quiet();
  await publish('PostCreated', { id: 'latest-post', title: 'latest' });
  await system.quiet();
  const { postId, ...shown } = comment;
  expect(await atComments('latest-post')).toMatchObject([{ ...shown, status: 'rejected' }]);
  expect((await atQuery('latest-post')).body).toMatchObject({
    ...{ commentCount: 1, comments: [{ ...shown, status: 'rejected' }] },
  });
});
