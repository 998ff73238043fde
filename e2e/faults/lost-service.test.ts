// A service's database is wiped, or restored from an old backup: it gets back by itself everything that reached the
// log.
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { SERVICES } from '../../common/src/run/parts.ts';
import { check, takeSnapshot } from '../lib/checker.ts';
import { get, post, until } from '../lib/http.ts';
import { type System, startSystem } from '../lib/system.ts';
import { everything, type Written, writePost, writesOf } from '../lib/writers.ts';

let system: System;
const written: Written[] = [];
const backup = mkdtempSync(join(tmpdir(), 'blog backup '));

beforeAll(async () => {
  system = await startSystem('--production', '--without', 'client');
  for (let n = 0; n < 3; n++) written.push(await writePost(system, `post ${n}`, 5));
  await system.quiet();
  // The old copies contain outbox rows not sent yet, which will have been sent by the time of the restore.
  await system.part('stop event-bus');
  const [known] = written as [Written];
  for (let n = 0; n < 3; n++) {
    written.push(await writePost(system, `post ${n} before the copy`, 0));
    const content = `comment ${n} before the copy`;
    const { body } = await post(`${system.url('comments')}/posts/${known.id}/comments`, { content });
    known.comments.push({ id: body.id, content, status: 'approved' });
  }
  for (const name of SERVICES) {
    const db = new DatabaseSync(join(system.dataDir, `${name}.db`), { readOnly: true });
    db.prepare('VACUUM INTO ?').run(join(backup, name));
    db.close();
  }
  await system.startPart('event-bus');
  for (let n = 0; n < 2; n++) written.push(await writePost(system, `post ${n} after the copy`, 5));
  await system.quiet();
});
afterAll(async () => {
  await system?.stop();
  rmSync(backup, { recursive: true, force: true });
});

const OLD = 'is restored from an old backup';
const LOST = 'is wiped';
type Loss = typeof OLD | typeof LOST;

/** Loses a database. The bus, which asks each subscriber for its checkpoint every five seconds, asks at once. */
async function lose(name: string, loss: Loss): Promise<void> {
  await system.part(`stop ${name}`);
  system.deleteDatabase(name);
  if (loss === OLD) copyFileSync(join(backup, name), join(system.dataDir, `${name}.db`));
  await system.part(`start ${name}`);
  await until(`${name} listens`, async () => (await get(`${system.url(name)}/healthz`)).status === 200);
  await post(`${system.url('event-bus')}/subscriptions/${name}/resume`);
  await system.ready(name);
}

const ways: [how: string, losses: Record<string, Loss>][] = [
  ['some wiped, some restored from an old backup', { posts: LOST, comments: OLD, moderation: LOST, query: OLD }],
  ['each the other way', { posts: OLD, comments: LOST, moderation: OLD, query: LOST }],
];

test.each(ways)(
  'all four at once, %s, get back everything that reached the log and publish nothing twice',
  async (_, losses) => {
    const before = await everything(system, written);
    await Promise.all(Object.entries(losses).map(([name, loss]) => lose(name, loss)));
    await system.quiet();
    expect(await everything(system, written)).toEqual(before);
  },
);

const alone = ways.flatMap(([, losses]) => Object.entries(losses));
if (process.env.LONG)
  test.each(alone)('when the database of %s alone %s, it does so, too', async (name, loss) => {
    const before = await everything(system, written);
    await lose(name, loss);
    await system.quiet();
    expect(await everything(system, written)).toEqual(before);
  });

test('afterwards everything works', async () => {
  written.push(await writePost(system, 'life goes on', 3));
  await system.quiet();
  expect(check(writesOf(written), await takeSnapshot(system))).toEqual([]);
});
