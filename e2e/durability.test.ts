// What was acknowledged is there for ever, whatever dies.
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { check, takeSnapshot } from './checker.ts';
import { get, post, until } from './http.ts';
import { type System, startSystem } from './system.ts';
import { startWriters, type Written, writePost, writesOf } from './writers.ts';

let system: System;
const written: Written[] = [];

beforeAll(async () => {
  system = await startSystem('--production', '--without', 'client');
});
afterAll(() => system?.stop());

/** Of the log, the subjects of one type, in order. */
async function subjects(type: string): Promise<string[]> {
  return (await system.log()).filter((event) => event.type === type).map(({ subject }) => subject);
}

async function expectEverythingOnce(): Promise<void> {
  expect(check(writesOf(written), await takeSnapshot(system))).toEqual([]);
}

test('kill -9 of every part, while 16 writers write, loses nothing, doubles nothing and leaves no comment pending', async () => {
  const writers = startWriters(system, 16);
  const somePosts = () => {
    const enough = writers.posts.length + 10;
    return until('more posts', () => writers.posts.length >= enough);
  };
  await somePosts();
  const parts = ['event-bus', 'posts', 'comments', 'query', 'moderation'];
  for (const part of [...parts, ...parts.toReversed()]) {
    await system.killPart(part);
    await somePosts();
  }
  await writers.stop();
  written.push(...writers.posts);
  // A comment may come before its post has gone round; nothing else is refused.
  expect(writers.refusals.filter((refusal) => !/^(503|404) /.test(refusal))).toEqual([]);
  await system.quiet();
  await expectEverythingOnce();
}, 120_000);

test('while the bus is away, posts and comments on known posts are accepted; all arrive later, each producer’s in order', async () => {
  const known = await writePost(system, 'known', 1);
  await system.quiet();
  await system.part('stop event-bus');
  const meanwhile: Written[] = [];
  for (let n = 0; n < 10; n++) {
    meanwhile.push(await writePost(system, `without the bus ${n}`, 0));
    const content = `comment ${n} without the bus`;
    const { status, body } = await post(`${system.url('comments')}/posts/${known.id}/comments`, { content });
    expect(status).toBe(201);
    known.comments.push({ id: body.id, content, status: 'approved' });
  }

  // Comments goes on for some seconds believing what the bus said last.
  await until('comments does not hear the bus', async () => {
    return (await get(`${system.url('comments')}/readyz`)).body.degraded.includes('The bus was not heard from lately.');
  });
  const early = await post(`${system.url('comments')}/posts/${meanwhile[0]?.id}/comments`, { content: 'too early' });
  expect(early.status).toBe(503);
  expect(Number(early.headers.get('retry-after'))).toBeGreaterThan(0);

  await system.startPart('event-bus');
  await system.quiet();
  written.push(known, ...meanwhile);
  await expectEverythingOnce();
  const ids = (posts: { id: string }[]) => posts.map(({ id }) => id);
  expect((await subjects('PostCreated')).slice(-10)).toEqual(ids(meanwhile));
  expect((await subjects('CommentCreated')).slice(-11)).toEqual(ids(known.comments));
});
