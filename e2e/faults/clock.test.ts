// The clock jumps an hour either way: order, retries and shutdown are unaffected.
import { randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { SERVICES } from '../../common/src/run/parts.ts';
import { check, takeSnapshot } from '../lib/checker.ts';
import { get, post, until } from '../lib/http.ts';
import { type System, startSystem } from '../lib/system.ts';
import { startWriters, type Written, writePost, writesOf } from '../lib/writers.ts';

const HOUR = 3_600_000;

let system: System;
let folder: string;
let clock: string;
let shift = 0;
const written: Written[] = [];
/** The titles, in the order of their acknowledgements. */
const titles: string[] = [];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'blog clock '));
  clock = join(folder, 'shift');
  writeFileSync(clock, '0');
  process.env.CLOCK_SHIFT = clock;
  process.env.NODE_OPTIONS = `--import ${pathToFileURL(join(import.meta.dirname, 'shifted-clock.ts')).href}`;
  system = await startSystem('--production', '--without', 'client');
});
afterAll(async () => {
  await system?.stop();
  rmSync(folder, { recursive: true });
});

async function writeTitled(title: string): Promise<string> {
  const post = await writePost(system, title, 2);
  written.push(post);
  titles.push(title);
  return post.id;
}

/** Shifts the clock of every process but this one. */
async function jump(milliseconds: number): Promise<void> {
  shift += milliseconds;
  writeFileSync(clock, String(shift));
  const pids = [...(await system.pids()).values()];
  await until('the clock has jumped everywhere', () =>
    pids.every((pid) => readFileSync(`${clock}-${pid}`, 'utf8') === String(shift)),
  );
}

const lags = async () =>
  (await get(`${system.url('event-bus')}/subscriptions`)).body.map(
    ({ lag, lagSeconds }: { lag: number; lagSeconds: number }) => ({ lag, lagSeconds }),
  );

describe.each([
  { way: 'forward', by: HOUR },
  { way: 'back', by: -2 * HOUR },
])('an hour $way', ({ way, by }) => {
  test('everything keeps the order in which it was written', async () => {
    await writeTitled(`before ${way}`);
    await jump(by);
    const id = await writeTitled(`after ${way}`);
    // The recorded time is the clock's, but nothing is sorted by it.
    const { createdAt } = (await get(`${system.url('posts')}/posts`)).body[id];
    expect(Math.abs(Date.parse(createdAt) - Date.now() - shift)).toBeLessThan(60_000);
    await system.quiet();
    type Titled = { title: string };
    const own: Titled[] = Object.values((await get(`${system.url('posts')}/posts`)).body);
    const shown: Titled[] = Object.values((await get(`${system.url('query')}/posts`)).body);
    expect(own.map(({ title }) => title)).toEqual(titles);
    expect(shown.map(({ title }) => title)).toEqual(titles.toReversed());
  });

  test('no part counts as down, and no request as late', async () => {
    await jump(by);
    for (const name of SERVICES) expect((await get(`${system.url(name)}/readyz`)).body.degraded).toEqual([]);
    const { status } = await post(`${system.url('comments')}/posts/${randomUUID()}/comments`, {
      content: 'on nothing',
    });
    expect(status).toBe(404);
    expect(await lags()).toEqual(SERVICES.map(() => ({ lag: 0, lagSeconds: 0 })));
    await jump(-by);
  });

  test('requests that wait for a part or the bus continue as soon as it is back, although the clock jumps meanwhile', async () => {
    await system.part('stop moderation');
    await writeTitled(`without moderation ${way}`);
    await system.part('stop event-bus');
    await post(`${system.url('posts')}/posts`, { title: `without the bus ${way}` }).then(({ status, body }) => {
      expect(status).toBe(201);
      written.push({ id: body.id, title: body.title, comments: [] });
      titles.push(body.title);
    });
    writeFileSync(clock, String(shift - by));
    await system.startPart('event-bus');
    writeFileSync(clock, String(shift));
    await until('it is behind', async () => (await lags()).some(({ lag }: { lag: number }) => lag > 0));
    for (const { lag, lagSeconds } of await lags()) {
      expect(lag).toBeGreaterThanOrEqual(0);
      expect(lagSeconds).toBeGreaterThanOrEqual(0);
    }
    await system.startPart('moderation');
    await system.quiet();
  });

  test('the same key is still the same request', async () => {
    const headers = { 'idempotency-key': randomUUID() };
    const title = `twice ${way}`;
    const first = await post(`${system.url('posts')}/posts`, { title }, headers);
    await jump(by);
    const second = await post(`${system.url('posts')}/posts`, { title }, headers);
    await jump(-by);
    expect([first.status, second.status, second.body]).toEqual([201, 201, first.body]);
    written.push({ id: first.body.id, title, comments: [] });
    titles.push(title);
  });
});

test('a part that lost its database is still noticed within seconds', async () => {
  await jump(-HOUR);
  await system.part('stop query');
  system.deleteDatabase('query');
  await system.startPart('query');
  await system.quiet();
});

test('jumps under load lose, duplicate and reorder nothing, and every part ends promptly after them', async () => {
  const writers = startWriters(system, 3);
  for (const by of [HOUR, -2 * HOUR, HOUR, HOUR]) {
    await jump(by);
    const enough = writers.posts.length + 4;
    await until('more posts', () => writers.posts.length >= enough);
  }
  await writers.stop();
  await system.quiet();
  expect(check(writesOf([...written, ...writers.posts]), await takeSnapshot(system))).toEqual([]);
  for (const name of ['moderation', 'query', 'comments', 'posts', 'event-bus']) {
    await jump(-HOUR);
    const began = performance.now();
    await system.part(`stop ${name}`);
    // After four seconds the runner kills a process that does not end by itself.
    expect([name, performance.now() - began < 3_900]).toEqual([name, true]);
  }
});
