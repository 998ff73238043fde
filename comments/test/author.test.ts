// The author of a comment: from the token to the row, the answer and the event.
import { afterAll, afterEach, beforeEach, expect, test } from '@jest/globals';
import { ADA, FakeAuth, GRACE } from '../../common/test/fake-auth.ts';
import type { Json } from '../../common/test/fake-bus.ts';
import { removeFolders, type Service } from '../../common/test/service.ts';
import { postCreated, startComments } from './comments-service.ts';

let auth: FakeAuth;
let comments: Service;
beforeEach(async () => {
  auth = await new FakeAuth().open();
  comments = await startComments({ env: { AUTH_URL: auth.url } });
  await comments.push(postCreated('p1')).expect(200);
});
afterEach(() => Promise.all([comments.close(), auth.close()]));
afterAll(removeFolders);

async function send(user: typeof ADA | undefined, content: string, key = 'key') {
  const post = comments.http.post('/posts/p1/comments').set('Idempotency-Key', key).send({ content });
  return user ? post.set('Authorization', `Bearer ${await auth.token(user, { aud: 'comments' })}`) : post;
}
const list = async (): Promise<Json[]> => (await comments.http.get('/posts/p1/comments').expect(200)).body;
const outbox = async (): Promise<Json[]> =>
  (await comments.rows<{ event: string }>('SELECT event FROM outbox ORDER BY seq')).map(({ event }) =>
    JSON.parse(event),
  );

test('the author is in the answer, in the list and in the event of the comment, not in that of its verdict', async () => {
  const { status, body } = await send(ADA, 'A fine day');
  expect([status, body.author]).toEqual([201, ADA]);
  expect(await list()).toEqual([{ ...body, seq: 1 }]);
  const verdict = { type: 'CommentModerated', data: { id: body.id, postId: 'p1', content: 'x', status: 'approved' } };
  await comments.push(verdict).expect(200);
  expect(await list()).toEqual([{ ...body, status: 'approved', seq: 1 }]);
  const [created, updated] = await outbox();
  expect(created.data).toEqual(body);
  expect(updated).toMatchObject({ type: 'CommentUpdated', data: { id: body.id, status: 'approved' } });
  expect(updated.data).not.toHaveProperty('author');
});

test('without a token nothing is stored, nor with one for posts', async () => {
  expect((await send(undefined, 'A fine day')).status).toBe(401);
  const token = await auth.token(ADA, { aud: 'posts' });
  await comments.http
    .post('/posts/p1/comments')
    .set('Authorization', `Bearer ${token}`)
    .send({ content: 'a' })
    .expect(403);
  expect(await list()).toEqual([]);
});

test('a key answers its own author again; another author is told 422', async () => {
  const first = await send(ADA, 'A fine day');
  expect((await send(ADA, 'A fine day')).body).toEqual(first.body);
  expect((await send(GRACE, 'A fine day')).status).toBe(422);
  expect(await list()).toHaveLength(1);
});

test('a comment whose verdict came first gets its author with its event', async () => {
  const data = { id: 'c1', postId: 'p1', content: 'A fine day' };
  await comments.push({ type: 'CommentModerated', data: { ...data, status: 'approved' } }).expect(200);
  await comments.push({ type: 'CommentCreated', data: { ...data, author: ADA } }).expect(200);
  expect(await list()).toMatchObject([{ ...data, status: 'approved', author: ADA }]);
});
