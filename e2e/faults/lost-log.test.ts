// The bus's log is wiped, or restored from an old backup: every part notices, and no event is silently skipped.
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { SERVICES } from '../../common/src/run/parts.ts';
import { check, takeSnapshot } from '../lib/checker.ts';
import { get, post, until } from '../lib/http.ts';
import { type System, startSystem } from '../lib/system.ts';
import { type Written, writePost, writesOf } from '../lib/writers.ts';

const OWNERS = ['posts', 'comments', 'moderation'];

let system: System;
let bus: string;
const written: Written[] = [];
const folder = mkdtempSync(join(tmpdir(), 'blog backup '));
const copy = join(folder, 'event-bus.db');

beforeAll(async () => {
  system = await startSystem('--production', '--without', 'client');
  bus = system.url('event-bus');
  for (let n = 0; n < 4; n++) written.push(await writePost(system, `post ${n}`, 5));
  await system.quiet();
});
afterAll(async () => {
  await system?.stop();
  rmSync(folder, { recursive: true, force: true });
});

const states = async () => (await system.subscriptions()).map(({ name, state }) => [name, state]);
const all = (state: string) => SERVICES.map((name) => [name, state]);
const resume = (name: string) => post(`${bus}/subscriptions/${name}/resume`);
const checkpoints = () => Promise.all(SERVICES.map(async (name) => (await get(`${system.url(name)}/events`)).body));
const whatQueryShows = async () => (await get(`${system.url('query')}/posts`)).body;

/** Checks that all are diverged and report it; new writes are accepted and wait, and nothing is pushed or published. */
async function expectDiverged(): Promise<void> {
  await until('all are diverged', async () => (await states()).every(([, state]) => state === 'diverged'));
  const before = { checkpoints: await checkpoints(), log: await system.log(), shown: await whatQueryShows() };
  const { degraded } = (await get(`${bus}/readyz`)).body;
  expect(degraded.map((text: string) => text.split(':')[0])).toEqual(SERVICES.map((name) => `${name} is diverged`));
  written.push(await writePost(system, `written without a log, after ${written.length}`, 0));
  await until('posts waits', async () => {
    return `${(await get(`${system.url('posts')}/readyz`)).body.degraded}`.includes('the bus answered 412');
  });
  expect({ checkpoints: await checkpoints(), log: await system.log(), shown: await whatQueryShows() }).toEqual(before);
  expect(await states()).toEqual(all('diverged'));
}

/**
 * Repairs as a person does: replays the owners, deletes query's database. Afterwards everything is there, once, and
 * works.
 */
async function repair(): Promise<void> {
  for (const name of OWNERS) expect((await post(`${bus}/subscriptions/${name}/replay`)).status).toBe(200);
  await system.part('stop query');
  system.deleteDatabase('query');
  await system.part('start query');
  await until('query listens', async () => (await get(`${system.url('query')}/healthz`)).status === 200);
  await resume('query');
  await system.quiet();
  expect(await states()).toEqual(all('live'));
  written.push(await writePost(system, `life goes on, after ${written.length}`, 3));
  await system.quiet();
  const violations = check(writesOf(written), await takeSnapshot(system));
  // Outbox rows go into the log before the republished events.
  expect(violations.filter(({ kind }) => kind !== 'order')).toEqual([]);
}

test('a wiped log is reported by every part, and restored from the owners of its events', async () => {
  await system.part('stop event-bus');
  system.deleteDatabase('event-bus');
  await system.part('start event-bus');
  await expectDiverged();
  expect(await system.log()).toEqual([]);
  await repair();
});

test('so is one restored from an old backup, even after it has grown longer than before', async () => {
  const source = new DatabaseSync(join(system.dataDir, 'event-bus.db'), { readOnly: true });
  source.prepare('VACUUM INTO ?').run(copy);
  source.close();
  for (let n = 0; n < 2; n++) written.push(await writePost(system, `post ${n} after the copy`, 5));
  await system.quiet();
  const { length } = await system.log();

  await system.part('stop event-bus');
  system.deleteDatabase('event-bus');
  copyFileSync(copy, join(system.dataDir, 'event-bus.db'));
  await system.part('start event-bus');
  await until('all are diverged', async () => (await states()).every(([, state]) => state === 'diverged'));
  const kept = await system.log();
  expect(kept.length).toBeLessThan(length);

  // A publisher without a checkpoint continues.
  for (let n = 0; n < length; n++) await post(`${bus}/events`, { type: 'Noise', data: { n } });
  expect((await system.log()).length).toBeGreaterThan(length);
  for (const name of SERVICES) await resume(name);
  await until('asked again', async () =>
    (await checkpoints()).every(({ checkpoint }) => Number.parseInt(checkpoint, 10) === length),
  );
  await expectDiverged();
  await repair();
  expect((await system.log()).slice(0, kept.length)).toEqual(kept);
});
