// Judging beside the deliveries, and the shares of copies.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Share } from '@blog/common/core/checkpoint.ts';
import { openDatabase } from '@blog/common/core/database.ts';
import type { Verdict } from '@blog/common/core/events.ts';
import { afterAll, afterEach, beforeEach, expect, test } from '@jest/globals';
import { at, FakeBus } from '../../common/test/fake-bus.ts';
import { Scrape } from '../../common/test/scrape.ts';
import { defined, newFolder, removeFolders, Service, stays, until } from '../../common/test/service.ts';
import { freePorts } from '../../scripts/lib/port-use.ts';
import { moderation } from '../src/app.ts';
import { Judging } from '../src/judging.ts';
import { isIn } from '../src/moderation.ts';
import { migrations } from '../src/schema.ts';

let bus: FakeBus;
let folder: string;
let service: Service;
const loops: Judging[] = [];
const start = async (env: Record<string, string>) => {
  service = await new Service(defined(moderation, env), bus.url, folder).open();
};
beforeEach(async () => {
  bus = await new FakeBus().open();
  folder = newFolder();
});
afterEach(async () => {
  await Promise.all(loops.splice(0).map((loop) => loop.stop()));
  await service?.close().catch(() => {});
  await bus.close();
});
afterAll(removeFolders);

const SLOW = { MODERATION_DELAY_MS: '60000' };
const created = (id: string, content = 'a') => ({ type: 'CommentCreated', data: { id, postId: 'p', content } });
const verdict = (id: string, status: Verdict, more = {}) => ({
  type: 'CommentModerated',
  data: { id, postId: 'p', status },
  ...more,
});
const ids = (count: number) => Array.from({ length: count }, (_, i) => `c${i}`);
const notes = () => service.rows<{ id: string }>('SELECT id FROM notes ORDER BY seq');
const verdicts = async () =>
  (await service.rows<{ id: string; status: string }>('SELECT id, status FROM verdicts ORDER BY id')).map(
    ({ id, status }) => [id, status],
  );
const value = async (name: string) => (await Scrape.of(service.url)).value(name);

test('a verdict that takes long delays no delivery; at most so many comments are judged at once, the oldest first', async () => {
  await start({ MODERATION_DELAY_MS: '2000', MODERATION_CONCURRENCY: '3' });
  const began = performance.now();
  await service.history(ids(6).map((id) => created(id, 'an orange'))).expect(200);
  expect(await value('moderation_waiting_comments')).toBe(6);
  await until(() => bus.log.length === 6);
  expect(performance.now() - began).toBeGreaterThan(2 * 2_000 - 20);
  expect(bus.log.map(({ data }) => [data.id, data.status])).toEqual(ids(6).map((id) => [id, 'rejected']));
  expect(await notes()).toEqual([]);
});

test('a process that is killed while it judges does so after its next start, and a comment seen again meanwhile is judged once', async () => {
  const [port] = await freePorts(1);
  const env = { ...process.env, DATA_DIR: folder, EVENT_BUS_URL: bus.url, PORT: String(port), ...SLOW };
  const child = spawn(process.execPath, [join(import.meta.dirname, '../src/main.ts')], { env, stdio: 'pipe' });
  await once(child.stdout, 'data');
  const push = (events: object[], after: string, upto: string) =>
    fetch(`http://localhost:${port}/events`, {
      method: 'POST',
      headers: {
        'content-type': 'application/cloudevents-batch+json',
        ...{ 'event-after': after, 'event-upto': upto, 'event-head': upto },
      },
      body: JSON.stringify(events),
    });
  expect((await push([created('c'), created('d'), created('c')], at(0), at(3))).status).toBe(200);
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
  const db = openDatabase(join(folder, 'moderation.db'), migrations);
  expect(await db.read((tx) => tx.all<{ id: string }>('SELECT id FROM notes ORDER BY seq'))).toMatchObject([
    { id: 'c' },
    { id: 'd' },
  ]);
  const made: string[] = [];
  const loop = judging(db, { index: 0, count: 1 }, made);
  await until(() => made.length === 2);
  await loop.stop();
  expect(await db.read((tx) => tx.all('SELECT id FROM verdicts'))).toHaveLength(2);
  await db.close();
});

/** The pause after which a copy judges the share of another one, in milliseconds. */
const PAUSE = 1_500;

/** The loop alone, with a short pause. */
function judging(db: Service['db'], share: Share, made: string[], time = 0): Judging {
  const loop = new Judging({
    ...{ db, bannedWords: ['orange'], time, concurrency: 2, pause: PAUSE },
    share: () => share,
    onVerdict: (status) => void made.push(status),
  });
  loop.start();
  loops.push(loop);
  return loop;
}

test('each comment is in the share of one copy, and shares are about the same', () => {
  for (const count of [1, 2, 4]) {
    const shares = Array.from({ length: count }, (_, index) => ids(1_000).filter((id) => isIn({ index, count }, id)));
    expect(shares.flat().sort()).toEqual(ids(1_000).sort());
    for (const share of shares) expect(share.length).toBeGreaterThan(800 / count);
  }
});

test('a copy judges its share at once, and leaves those of others to them', async () => {
  await start({});
  const share = '1/2';
  await service
    .push(
      ids(20).map((id) => created(id)),
      { after: at(0), upto: at(20), share },
    )
    .expect(200);
  const own = ids(20).filter((id) => isIn({ index: 1, count: 2 }, id));
  expect((await verdicts()).map(([id]) => id)).toEqual(own.sort());
  const others = ids(20).filter((id) => !own.includes(id));
  expect((await notes()).map(({ id }) => id)).toEqual(others);
  // Verdicts of the other copy come from the log.
  await service
    .push(
      others.slice(1).map((id) => verdict(id, 'approved')),
      { after: at(20), upto: at(19 + others.length), share },
    )
    .expect(200);
  expect((await notes()).map(({ id }) => id)).toEqual(others.slice(0, 1));
  // The other copy is gone: its share is this one's now.
  const moved = { after: at(19 + others.length), upto: at(20 + others.length), share: '0/1' };
  await service.push([created('new')], moved).expect(200);
  await until(async () => (await notes()).length === 0);
});

/** Notes comments of these numbers at once. */
const insert = (db: Service['db'], numbers: number[], notedAt = "unixepoch('subsec')") =>
  db.write((tx) => {
    const sql = `INSERT INTO notes (id, number, event, notedAt) VALUES (?, ?, ?, ${notedAt})`;
    for (const number of numbers) tx.run(sql, `n${number}`, number, JSON.stringify(created(`n${number}`)));
  });

test('those taken over count among the comments that are judged at once', async () => {
  const db = openDatabase(join(folder, 'service.db'), migrations);
  await insert(db, [1, 3], '0');
  await insert(db, [0]);
  const made: string[] = [];
  const began = performance.now();
  const loop = judging(db, { index: 0, count: 2 }, made, 300);
  await until(async () => {
    // Each commit lets the loop look.
    await db.write(() => {});
    return made.length === 3;
  });
  expect(performance.now() - began).toBeGreaterThan(2 * 300 - 20);
  await loop.stop();
  await db.close();
});

test('what no other copy has judged for a while, a copy judges; not sooner', async () => {
  const db = openDatabase(join(folder, 'service.db'), migrations);
  const made: string[] = [];
  const began = performance.now();
  await insert(db, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  const loop = judging(db, { index: 0, count: 2 }, made);
  await until(() => made.length > 5);
  expect(performance.now() - began).toBeGreaterThan(PAUSE - 20);
  await until(() => made.length === 10);
  const verdicts = await db.read((tx) => tx.all<{ id: string }>('SELECT id FROM verdicts ORDER BY seq'));
  const own = verdicts.slice(0, 5).map(({ id }) => id);
  expect(own.sort()).toEqual(['n0', 'n2', 'n4', 'n6', 'n8']);
  await loop.stop();
  await db.close();
});

test('a verdict that comes from the log while the comment is judged stands, and none is published', async () => {
  await start({ MODERATION_DELAY_MS: '2000' });
  await service.history([created('c', 'an orange')]).expect(200);
  await service.push([verdict('c', 'approved')], { after: at(1), upto: at(2) }).expect(200);
  expect(await notes()).toEqual([]);
  expect(await stays(() => bus.log.length === 0, 2_100)).toBe(true);
  expect(await verdicts()).toEqual([['c', 'approved']]);
});

test("the log's first verdict stands before this copy's own; a later one does not", async () => {
  await start({});
  await service.history([created('c', 'an orange')]).expect(200);
  await until(() => bus.log.length === 1);
  expect(await verdicts()).toEqual([['c', 'rejected']]);
  const first = verdict('c', 'approved', { id: 'c/CommentModerated', source: 'moderation' });
  await service.push([first, verdict('c', 'rejected')], { after: at(1), upto: at(3) }).expect(200);
  expect(await verdicts()).toEqual([['c', 'approved']]);
  await service.push([created('c', 'an orange')], { after: at(3), upto: at(4) }).expect(200);
  await until(() => bus.publications.length === 2);
  expect(bus.publications[1]?.body).toEqual(first);
});

test('a disk that is full for a while loses no comment and makes no verdict twice', async () => {
  await start({ MODERATION_DELAY_MS: '1500' });
  const write = service.db.write.bind(service.db);
  let fails = 0;
  await service.history([created('c'), created('d')]).expect(200);
  service.db.write = () => {
    fails += 1;
    return Promise.reject(new Error('the disk is full'));
  };
  await until(() => fails >= 2);
  service.db.write = write;
  await until(() => bus.log.length === 2);
  expect(await notes()).toEqual([]);
});

test('is degraded while comments wait for long', async () => {
  await start(SLOW);
  await service.history([created('c'), created('d')]).expect(200);
  expect(await service.degraded()).toEqual([]);
  await service.db.write((tx) => tx.run('UPDATE notes SET notedAt = notedAt - 90'));
  expect(await service.degraded()).toEqual([
    expect.stringMatching(/^2 comments wait for a verdict, the first for 9\d s\.$/),
  ]);
});

test('a classic bus, which has no checkpoints, gets each verdict once', async () => {
  bus.mode = 'classic';
  await start({ MODERATION_DELAY_MS: '3000' });
  for (const id of ['c', 'd', 'c']) await service.push(created(id)).expect(200);
  await until(() => bus.log.length === 2);
  expect(await stays(() => bus.log.length === 2, 60)).toBe(true);
  expect(bus.log.map(({ data }) => data.id).sort()).toEqual(['c', 'd']);
});
