// The authors of posts and comments in the read model.
import { join } from 'node:path';
import { openDatabase } from '@blog/common/core/database.ts';
import { afterAll, afterEach, beforeEach, expect, test } from '@jest/globals';
import { ADA, GRACE } from '../../common/test/fake-auth.ts';
import { newFolder, removeFolders, type Service } from '../../common/test/service.ts';
import { begin, readStep } from '../src/changes.ts';
import { migrations } from '../src/schema.ts';
import { comment, post, startQuery, updated } from './query-service.ts';

let query: Service;
let folder: string;
beforeEach(async () => {
  folder = newFolder();
  query = await startQuery(folder);
});
afterEach(() => query.close());
afterAll(removeFolders);

const list = async () => (await query.http.get('/posts').expect(200)).body;

test('the list, a post and the stream show the author of a post and of a comment, where there is one', async () => {
  await query.push(post('p1', { title: 'Hello', author: ADA })).expect(200);
  await query.push(comment('c1', 'p1', { content: 'a', author: GRACE })).expect(200);
  await query.push(comment('c2', 'p1', { content: 'b' })).expect(200);
  const { p1 } = await list();
  expect(p1).toMatchObject({ author: ADA, comments: [{ id: 'c1', author: GRACE }, { id: 'c2' }] });
  expect(p1.comments[1]).not.toHaveProperty('author');
  expect((await query.http.get('/posts/p1').expect(200)).body).toEqual(p1);
  const { text } = await query.db.read((tx) => readStep(tx, 0));
  const { comments, ...shown } = p1;
  expect(JSON.parse(/^data: ?(.*)$/m.exec(text)?.[1] ?? '')).toEqual({ post: shown, comments });
});

test('an author that comes later is filled in, and told on the stream; another one replaces nobody', async () => {
  await query.push(post('p1')).expect(200);
  await query.push(updated('c1', 'p1', 'approved')).expect(200);
  const { upto } = await query.db.read((tx) => begin(tx, undefined));
  await query.push(comment('c1', 'p1', { content: 'a', author: GRACE })).expect(200);
  await query.push(post('p1', { author: ADA })).expect(200);
  const { text } = await query.db.read((tx) => readStep(tx, upto));
  expect(text).toContain(JSON.stringify(GRACE));
  expect(text).toContain(JSON.stringify(ADA));
  await query.push(post('p1', { author: GRACE })).expect(200);
  expect((await list()).p1).toMatchObject({ author: ADA, comments: [{ author: GRACE, status: 'approved' }] });
});

test('events without authors are answered as before there were any', async () => {
  await query.push(post('p1', { title: 'Hello', createdAt: 'then' })).expect(200);
  await query.push(comment('c1', 'p1', { content: 'a', createdAt: 'then' })).expect(200);
  const shown = { id: 'c1', postId: 'p1', content: 'a', status: 'pending', createdAt: 'then', seq: 1 };
  const p1 = { id: 'p1', title: 'Hello', createdAt: 'then', seq: 1, commentCount: 1, comments: [shown] };
  expect((await query.http.get('/posts')).text).toBe(JSON.stringify({ p1 }));
});

test('a read model from before there were authors is brought up to date', async () => {
  const older = newFolder();
  const db = openDatabase(join(older, 'service.db'), migrations.slice(0, -1));
  await db.write((tx) => tx.run("INSERT INTO posts (id, title, createdAt, revision) VALUES ('p0', 'Old', 'then', 0)"));
  await db.close();
  const restarted = await startQuery(older);
  await restarted.push(post('p1', { title: 'New', author: ADA })).expect(200);
  const { body } = await restarted.http.get('/posts').expect(200);
  await restarted.close();
  expect(body.p0).not.toHaveProperty('author');
  expect(body.p1).toMatchObject({ author: ADA });
});
