// A torn last write recovers to the last commit; other damage is reported and never skipped.
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { check, takeSnapshot } from '../lib/checker.ts';
import { get, post, until } from '../lib/http.ts';
import { type System, startSystem } from '../lib/system.ts';
import { startWriters, type Written, writePost, writesOf } from '../lib/writers.ts';

const PAGE = 4096;
/** SQLite's write-ahead log (sqlite.org/walformat.html): its header, then frames of a header and a page each. */
const WAL_HEADER = 32;
const FRAME = 24 + PAGE;

let system: System;
let bus: string;
const written: Written[] = [];
const folder = mkdtempSync(join(tmpdir(), 'blog damage '));

beforeAll(async () => {
  system = await startSystem('--production', '--without', 'client');
  bus = system.url('event-bus');
  for (let n = 0; n < 3; n++) written.push(await writePost(system, `post ${n}`, 5));
  await system.quiet();
});
afterAll(async () => {
  await system?.stop();
  rmSync(folder, { recursive: true, force: true });
});

const fileOf = (name: string) => join(system.dataDir, `${name}.db`);
const degraded = async (name: string): Promise<string[]> => (await get(`${system.url(name)}/readyz`)).body.degraded;
const states = async () => (await system.subscriptions()).map(({ state }) => state);

async function expectEverything(): Promise<void> {
  await system.quiet();
  const violations = check(writesOf(written), await takeSnapshot(system));
  // After a loss of the log, outbox rows go before the republished events.
  expect(violations.filter(({ kind }) => kind !== 'order')).toEqual([]);
}

/** Kills a part for good: the runner is told to stop it while the process is suspended. */
async function killForGood(name: string): Promise<void> {
  const pid = (await system.pids()).get(name) as number;
  process.kill(pid, 'SIGSTOP');
  const stopped = system.part(`stop ${name}`);
  await until('it is ordered to', async () => new RegExp(`^${name} +stopping`, 'm').test(await system.part('status')));
  process.kill(pid, 'SIGKILL');
  await stopped;
}

async function start(name: string): Promise<void> {
  await system.part(`start ${name}`);
  await until(`${name} listens`, async () => (await get(`${system.url(name)}/healthz`)).status === 200);
}

/** Stops a part, changes its file while no process has it open, and starts the part again. */
async function restartWith(name: string, change: (file: string) => void): Promise<void> {
  await system.part(`stop ${name}`);
  change(fileOf(name));
  await start(name);
}

/** The end of the write-ahead log: after the last frame that SQLite would apply (stale ones have another salt). */
function framesOf(journal: Buffer): number {
  const salt = journal.subarray(16, 24);
  let frames = 0;
  for (let at = WAL_HEADER; at + FRAME <= journal.length; at += FRAME, frames += 1)
    if (!journal.subarray(at + 8, at + 16).equals(salt)) break;
  return frames;
}

/** Appends half a frame after the last commit, as a machine leaves it that crashed while writing. */
function tearNextWrite(name: string): void {
  const file = `${fileOf(name)}-wal`;
  const journal = readFileSync(file);
  const end = WAL_HEADER + framesOf(journal) * FRAME;
  const half = Buffer.from(journal.subarray(end - FRAME, end - FRAME / 2));
  writeFileSync(file, Buffer.concat([journal.subarray(0, end), half]));
}

/**
 * Cuts the write-ahead log within the first frame that contains this text: a write reported as on disk that was not.
 */
function tearWriteOf(name: string, text: string): void {
  const file = `${fileOf(name)}-wal`;
  const journal = readFileSync(file);
  const frame = Math.floor((journal.indexOf(text) - WAL_HEADER) / FRAME);
  expect(frame).toBeGreaterThan(0);
  writeFileSync(file, journal.subarray(0, WAL_HEADER + frame * FRAME + FRAME / 2));
}

/** Makes a page unreadable. */
function spoil(file: string, page: number): void {
  const bytes = readFileSync(file);
  bytes.fill(0xff, page * PAGE, (page + 1) * PAGE);
  writeFileSync(file, bytes);
}

/** The first page of a table's rows, counted from 0. */
function firstPageOf(file: string, table: string): number {
  const db = new DatabaseSync(file, { readOnly: true });
  const sql = "SELECT min(pageno) - 1 AS page FROM dbstat WHERE name = ? AND pagetype = 'leaf'";
  const { page } = db.prepare(sql).get(table) as { page: number };
  db.close();
  return page;
}

test('a write torn by a crash under load was not acknowledged, and the parts start with all the others', async () => {
  const writers = startWriters(system, 8);
  await until('posts', () => writers.posts.length >= 5);
  for (const name of ['posts', 'event-bus']) {
    await killForGood(name);
    tearNextWrite(name);
    await system.part(`start ${name}`);
  }
  const enough = writers.posts.length + 5;
  await until('more posts', () => writers.posts.length >= enough);
  await writers.stop();
  written.push(...writers.posts);
  await expectEverything();
});

test('a commit lost by the disk comes back to its owner from the log', async () => {
  const lost = await writePost(system, 'lost by the disk of posts', 2);
  written.push(lost);
  await system.quiet();
  const log = await system.log();
  await killForGood('posts');
  tearWriteOf('posts', lost.title);
  await start('posts');
  await post(`${bus}/subscriptions/posts/resume`);
  await system.ready('posts');
  await expectEverything();
  expect(await system.log()).toEqual(log);
});

test('one lost by the log is noticed by every part that had it; after a replay of the owners it is there again', async () => {
  const lost = await writePost(system, 'lost by the disk of the bus', 2);
  written.push(lost);
  await system.quiet();
  const log = await system.log();
  await killForGood('event-bus');
  tearWriteOf('event-bus', lost.title);
  await system.part('start event-bus');
  await until('all are diverged', async () => (await states()).every((state) => state === 'diverged'));
  const left = await system.log();
  expect(left.length).toBeLessThan(log.length);
  expect(left).toEqual(log.slice(0, left.length));
  expect((await degraded('event-bus')).join()).toContain('posts is diverged: its checkpoint is');

  for (const name of ['posts', 'comments', 'moderation']) await post(`${bus}/subscriptions/${name}/replay`);
  await restartWith('query', () => system.deleteDatabase('query'));
  await post(`${bus}/subscriptions/query/resume`);
  await expectEverything();
});

test('a damaged page of the log is reported with its first position, and nothing is delivered past it', async () => {
  const good = join(folder, 'event-bus.db');
  const log = await system.log();
  const somewhere = log[Math.floor(log.length / 2)]?.id as string;
  await restartWith('event-bus', (file) => {
    copyFileSync(file, good);
    spoil(file, Math.floor(readFileSync(file).indexOf(`${somewhere}","source"`) / PAGE));
  });
  const { body: verdict } = await get(`${bus}/log/verify`);
  expect(verdict).toEqual({ ok: false, position: expect.any(Number), reason: 'it cannot be read' });
  const { position } = verdict;
  expect(await degraded('event-bus')).toContain(`The log is damaged at position ${position}: it cannot be read.`);
  await until('a line of the log', () => system.output().includes('the log is damaged'));

  expect((await get(`${bus}/events?limit=${position - 1}`)).body).toEqual(log.slice(0, position - 1));
  const unreadable = await get(`${bus}/events?after=${position - 1}&limit=1`);
  expect(unreadable.status).toBe(503);
  expect(unreadable.body.detail).toBe('The database cannot be used at the moment; nothing was stored.');
  // Nothing is appended after the damage; publications wait in their outboxes.
  expect((await post(`${bus}/events`, { type: 'T', data: {} })).status).toBe(503);
  written.push(await writePost(system, 'written on a damaged log', 0));
  // A subscriber that starts over gets the events before the damage, and then waits.
  await restartWith('query', () => system.deleteDatabase('query'));
  await post(`${bus}/subscriptions/query/resume`);
  await until('query is before it', async () => {
    const { checkpoint } = (await get(`${system.url('query')}/events`)).body;
    return Number.parseInt(checkpoint, 10) === position - 1;
  });
  await until('it is told', async () => (await states())[2] === 'retrying');

  await restartWith('event-bus', (file) => copyFileSync(good, file));
  expect((await get(`${bus}/log/verify`)).body.ok).toBe(true);
  await expectEverything();
});

test('an altered record is reported with its position, and not delivered', async () => {
  const { length } = await system.log();
  const position = Math.floor(length / 2);
  const alter = (from: string, to: string) => (file: string) => {
    const db = new DatabaseSync(file);
    db.prepare('UPDATE events SET record = replace(record, ?, ?) WHERE position = ?').run(from, to, position);
    db.close();
  };
  await restartWith('event-bus', alter('"data":{', '"data": {'));
  const told = { ok: false, position, reason: 'it does not fit its checksum' };
  const text = `The log is damaged at position ${position}: ${told.reason}.`;
  await until('it is reported at the start', async () => (await degraded('event-bus')).includes(text));
  expect((await get(`${bus}/log/verify`)).body).toEqual(told);
  expect((await get(`${bus}/events?after=${position - 1}&limit=1`)).status).toBe(503);
  await restartWith('event-bus', alter('"data": {', '"data":{'));
  expect((await get(`${bus}/log/verify`)).body).toMatchObject({ ok: true, events: length });
});

test('a damaged page of a service is reported and never skipped; without its database it gets everything back', async () => {
  await restartWith('posts', (file) => spoil(file, firstPageOf(file, 'posts')));
  const answer = await get(`${system.url('posts')}/posts`);
  expect(answer.status).toBe(503);
  expect(answer.body.detail).toBe('The database cannot be used at the moment; nothing was stored.');
  expect(await degraded('posts')).toContain('The database is damaged: a page of its file cannot be read.');
  await until('a line of the log', () => /posts.*request failed/.test(system.output()));
  await restartWith('posts', () => system.deleteDatabase('posts'));
  await post(`${bus}/subscriptions/posts/resume`);
  await system.ready('posts');
  await expectEverything();
});
