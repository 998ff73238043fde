// A backup made under load, restored after all data was lost.
import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, describe, expect, test } from '@jest/globals';
import { SERVICES } from '../../common/src/run/parts.ts';
import { check, takeSnapshot, type Write } from '../lib/checker.ts';
import { get, until } from '../lib/http.ts';
import { runScript } from '../lib/script.ts';
import { type System, startSystem } from '../lib/system.ts';
import { startWriters, writePost, writesOf } from '../lib/writers.ts';

const PARTS = ['--production', '--without', 'client'];
/** Query's is rebuilt from the log. */
const databases = ['comments.db', 'event-bus.db', 'moderation.db', 'posts.db'];

let system: System | undefined;
const folder = mkdtempSync(join(tmpdir(), 'blog backup '));
const copies = join(folder, 'copies');
const writes: Write[] = [];

afterAll(async () => {
  await system?.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** Runs `npm run backup` or `restore`. */
const run = (script: 'backup' | 'restore', ...args: string[]) => runScript(`scripts/data/${script}.ts`, args);

/** The names and contents of a folder's files. */
const contents = (path: string) =>
  readdirSync(path)
    .sort()
    .map((name) => [
      name,
      createHash('sha256')
        .update(readFileSync(join(path, name)))
        .digest('hex'),
    ]);

/** The number of posts in a database file. */
function postsIn(file: string): number {
  const db = new DatabaseSync(file, { readOnly: true });
  const count = Number(db.prepare('SELECT count(*) AS count FROM posts').get()?.count);
  db.close();
  return count;
}

test('a backup is made while 8 writers write; a restore is refused meanwhile', async () => {
  system = await startSystem(...PARTS, '--data', join(folder, 'data'));
  const writers = startWriters(system, 8);
  await until('posts', () => writers.posts.length >= 10);
  const before = [...writers.posts];
  const backup = await run('backup', copies, '--data', system.dataDir);
  expect(backup).toEqual({ code: 0, output: expect.stringContaining(`Copied to ${copies}.`) });
  await until('more posts', () => writers.posts.length >= before.length + 10);
  expect(await run('restore', copies, '--data', system.dataDir)).toEqual({
    code: 1,
    output: expect.stringContaining('The blog is running: stop it first'),
  });
  await writers.stop();
  expect(readdirSync(copies).sort()).toEqual(databases);
  // Writes acknowledged later may be in some of the copies.
  const later = writesOf(writers.posts.slice(before.length)).map((write): Write => ({ ...write, outcome: 'unknown' }));
  writes.push(...writesOf(before), ...later);
  await system.stop({ keep: true });
  system = undefined;
});

test('restored into an empty folder, the blog has everything from before the backup once, and continues', async () => {
  const restored = join(folder, 'elsewhere');
  expect(await run('restore', copies, '--data', restored)).toMatchObject({ code: 0 });
  system = await startSystem(...PARTS, '--data', restored);
  await system.quiet();
  expect(check(writes, await takeSnapshot(system))).toEqual([]);
  // Every subscriber has taken its replay order, so whatever the copies lack of each other is there now.
  for (const name of SERVICES) expect((await get(`${system.url(name)}/events`)).body.replay).toMatch(/^[0-9a-f-]{36}$/);
  writes.push(...writesOf([await writePost(system, 'life goes on', 4)]));
  await system.quiet();
  expect(check(writes, await takeSnapshot(system))).toEqual([]);
});

if (process.env.LONG)
  test('a log older than the services’ copies is completed by them', async () => {
    const running = system as System;
    const mixed = join(folder, 'mixed');
    expect(await run('backup', mixed, '--data', running.dataDir)).toMatchObject({ code: 0 });
    cpSync(join(copies, 'event-bus.db'), join(mixed, 'event-bus.db'));
    await running.stop();
    system = undefined;
    const restored = join(folder, 'older log');
    expect(await run('restore', mixed, '--data', restored)).toMatchObject({ code: 0 });
    system = await startSystem(...PARTS, '--data', restored);
    await system.quiet();
    const violations = check(writes, await takeSnapshot(system));
    // Outbox rows go into the log before the republished events.
    expect(violations.filter(({ kind }) => kind !== 'order')).toEqual([]);
  });

describe('without a blog that runs', () => {
  const data = join(folder, 'data');

  test('a restore replaces the existing files completely', async () => {
    const newer = postsIn(join(data, 'posts.db'));
    // SQLite would apply the newer file's write-ahead log to the older one.
    const journal = new DatabaseSync(join(data, 'posts.db'));
    journal.exec("INSERT INTO posts (id, event) VALUES ('newest', '')");
    cpSync(join(data, 'posts.db-wal'), join(folder, 'wal'));
    const inUse = await run('restore', copies, '--data', data);
    expect(inUse).toEqual({ code: 1, output: expect.stringContaining('posts.db is in use: stop posts') });
    journal.close();
    cpSync(join(folder, 'wal'), join(data, 'posts.db-wal'));

    expect(await run('restore', copies, '--data', data)).toMatchObject({ code: 0 });
    expect(readdirSync(data).sort()).toEqual(['blog.lock', ...databases]);
    expect(postsIn(join(data, 'posts.db'))).toBe(postsIn(join(copies, 'posts.db')));
    expect(postsIn(join(data, 'posts.db'))).toBeLessThan(newer);
  });

  test('a backup inside the data folder stays there, whether refused or restored', async () => {
    const inside = join(data, 'restore');
    cpSync(copies, inside, { recursive: true });
    expect(await run('restore', join(folder, 'nothing'), '--data', data)).toMatchObject({ code: 1 });
    expect(await run('restore', inside, '--data', data)).toMatchObject({ code: 0 });
    expect(contents(inside)).toEqual(contents(copies));
    rmSync(inside, { recursive: true });
  });

  const sql = (statement: string) => (file: string) => {
    const db = new DatabaseSync(file);
    db.exec(statement);
    db.close();
  };
  const altered = sql("UPDATE events SET record = replace(record, 'post', 'toast') WHERE position = 3");
  test.each<[string, string, string, (file: string) => void]>([
    ['has no log', 'event-bus', 'there is no complete backup in', (file) => rmSync(file)],
    ['has a log with an altered record', 'event-bus', 'the copied log is damaged at position 3', altered],
    ['has half a file', 'posts', 'the copy of posts cannot be used', (file) => truncateSync(file, 12_000)],
    ['is of a newer version', 'moderation', 'its schema, 99, is not known here', sql('PRAGMA user_version = 99')],
    ['has an empty file', 'posts', 'its schema, 0, is not known here', (file) => writeFileSync(file, '')],
  ])('a copy that %s is refused, and nothing is touched', async (_what, part, why, damage) => {
    const bad = join(folder, 'bad');
    rmSync(bad, { recursive: true, force: true });
    cpSync(copies, bad, { recursive: true });
    damage(join(bad, `${part}.db`));
    const before = contents(data);
    expect(await run('restore', bad, '--data', data)).toEqual({ code: 1, output: expect.stringContaining(why) });
    expect(contents(data)).toEqual(before);
  });

  test('a folder that is not empty, data without a log, a damaged log and wrong usage make no backup', async () => {
    const nothing = join(folder, 'nothing');
    const refused = async (code: number, why: string, ...args: string[]) =>
      expect(await run('backup', ...args)).toEqual({ code, output: expect.stringContaining(why) });
    const before = contents(copies);
    await refused(1, 'is not empty: name a new folder', copies, '--data', data);
    expect(contents(copies)).toEqual(before);
    await refused(1, 'There is no log in', nothing, '--data', join(folder, 'nobody'));
    await refused(2, 'Usage: npm run backup -- DIR', '--data', data);
    expect(await run('restore')).toEqual({ code: 2, output: expect.stringContaining('Usage: npm run restore -- DIR') });
    altered(join(data, 'event-bus.db'));
    await refused(1, 'the log is damaged at position 3', nothing, '--data', data);
    expect(existsSync(nothing) ? readdirSync(nothing) : []).toEqual([]);
  });
});
