// Without its bus the blog accepts what it can, refuses honestly what it cannot, and all accepted writes arrive later.
import { randomUUID } from 'node:crypto';
import { setInterval as every } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { check, takeSnapshot } from '../lib/checker.ts';
import { post } from '../lib/http.ts';
import { type System, startSystem } from '../lib/system.ts';
import { type Written, writePost, writesOf } from '../lib/writers.ts';

/** The duration of the bus's outage, in milliseconds. */
const AWAY = process.env.LONG ? 60_000 : 3_000;

let system: System;

beforeAll(async () => {
  system = await startSystem('--production', '--without', 'client');
});
afterAll(() => system?.stop());

/** The subjects of one type in the log, in order. */
async function subjects(type: string): Promise<string[]> {
  return (await system.log()).filter((event) => event.type === type).map(({ subject }) => subject);
}

test('while the bus is down, posts and comments on known posts are 201, on unknown posts 503; all arrive later, in order', async () => {
  const known = await writePost(system, 'known', 1);
  await system.quiet();
  await system.part('stop event-bus');
  const meanwhile: Written[] = [];
  const early: { url: string; content: string; headers: Record<string, string>; of: Written }[] = [];
  const refusedAfter: number[] = [];
  const begin = performance.now();
  for await (const _ of every(100)) {
    if (performance.now() - begin > AWAY) break;
    const title = `without the bus ${meanwhile.length}`;
    const { status, body } = await post(`${system.url('posts')}/posts`, { title });
    expect(status).toBe(201);
    const written: Written = { id: body.id, title, comments: [] };
    meanwhile.push(written);

    const content = `comment ${known.comments.length} without the bus`;
    const comment = await post(`${system.url('comments')}/posts/${known.id}/comments`, { content });
    expect(comment.status).toBe(201);
    known.comments.push({ id: comment.body.id, content, status: 'approved' });

    const url = `${system.url('comments')}/posts/${written.id}/comments`;
    const tooEarly = { url, content: `too early for ${title}`, headers: { 'idempotency-key': randomUUID() } };
    const asked = performance.now();
    const refusal = await post(url, { content: tooEarly.content }, tooEarly.headers);
    expect(refusal.status).toBe(503);
    expect(Number(refusal.headers.get('retry-after'))).toBeGreaterThan(0);
    refusedAfter.push(performance.now() - asked);
    early.push({ ...tooEarly, of: written });
  }

  // Refused at once as soon as the bus has failed to answer: not each after a wait of two seconds.
  expect(Math.min(...refusedAfter)).toBeLessThan(1_900);
  await system.startPart('event-bus');
  await system.quiet();
  const ids = (items: { id: string }[]) => items.map(({ id }) => id);
  expect(await subjects('PostCreated')).toEqual(ids([known, ...meanwhile]));
  expect(await subjects('CommentCreated')).toEqual(ids(known.comments));
  expect(check(writesOf([known, ...meanwhile]), await takeSnapshot(system))).toEqual([]);

  // Refused comments were not written, and are accepted now.
  for (const { url, content, headers, of } of early) {
    const { status, body } = await post(url, { content }, headers);
    expect(status).toBe(201);
    of.comments.push({ id: body.id, content, status: 'approved' });
  }
  await system.quiet();
  expect(check(writesOf([known, ...meanwhile]), await takeSnapshot(system))).toEqual([]);
});
