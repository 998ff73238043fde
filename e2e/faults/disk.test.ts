// A full disk, or a locked or read-only database: writes that are not stored get 503 or 507 and never a 2xx, reads
// continue, and so does everything else once it can.
import { randomUUID } from 'node:crypto';
import { mkdirSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { check, takeSnapshot, type Write } from '../lib/checker.ts';
import { get, post, until } from '../lib/http.ts';
import { canProtect, setWritable } from '../lib/protect.ts';
import { mountSmallDisk } from '../lib/small-disk.ts';
import { type System, startSystem } from '../lib/system.ts';

const WRITERS = ['posts', 'comments', 'event-bus'];
const SUBSCRIBERS = ['query', 'moderation'];
const TROUBLE = /^The (disk is full|database cannot be used at the moment)/;
/** A text of which a few writes fill the rest of a disk. */
const LONG = 'x'.repeat(1_900);

// Two disks: one for the parts with callers, one for the pure subscribers.
const writersDisk = await mountSmallDisk('24m');
const subscribersDisk = writersDisk && (await mountSmallDisk('24m'));

const protects = canProtect(writersDisk?.folder ?? tmpdir());

let system: System;
let known: string;
const writes: Write[] = [];
const notes = { taken: [] as string[], refused: [] as string[] };

beforeAll(async () => {
  const data: string[] = [];
  if (writersDisk && subscribersDisk) {
    const folder = join(writersDisk.folder, 'data');
    mkdirSync(folder);
    for (const name of SUBSCRIBERS) symlinkSync(join(subscribersDisk.folder, `${name}.db`), join(folder, `${name}.db`));
    data.push('--data', folder);
  }
  system = await startSystem('--production', '--without', 'client', ...data);
  await writePost();
  known = writes[0]?.id as string;
  // Waits until comments knows the post, before anything breaks.
  await until('a comment', async () => (await writeComment()) === 201);
});
afterAll(async () => {
  await system?.stop();
  await writersDisk?.unmount();
  await subscribersDisk?.unmount();
});

/** Sends a write once, and records its caller's answer. A refusal must have `Retry-After` and leave nothing behind. */
async function write(kind: Write['kind'], url: string, body: object, text: string, postId?: string): Promise<number> {
  const answer = await post(url, body);
  if (answer.status === 201) {
    writes.push({ kind, text, key: randomUUID(), outcome: 'acknowledged', id: answer.body.id, postId });
  } else {
    expectRefusal(answer);
    writes.push({ kind, text, key: randomUUID(), outcome: 'refused', postId });
  }
  return answer.status;
}

function expectRefusal({ status, headers }: { status: number; headers: Headers }): void {
  expect([503, 507]).toContain(status);
  expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
}

const writePost = () => {
  const title = `post ${writes.length}`;
  return write('post', `${system.url('posts')}/posts`, { title }, title);
};
const writeComment = () => {
  const content = `comment ${writes.length} ${LONG}`;
  return write('comment', `${system.url('comments')}/posts/${known}/comments`, { content }, content, known);
};
async function writeNote(): Promise<number> {
  const id = randomUUID();
  const note = { specversion: '1.0', id, source: 'test', type: 'Noted', data: LONG.repeat(20) };
  const answer = await post(`${system.url('event-bus')}/events`, note);
  if (answer.status !== 201) expectRefusal(answer);
  notes[answer.status === 201 ? 'taken' : 'refused'].push(id);
  return answer.status;
}

const degraded = async (name: string): Promise<string> =>
  (await get(`${system.url(name)}/readyz`)).body.degraded.join();
const isInTrouble = async (name: string) => (await degraded(name)).split(',').some((text) => TROUBLE.test(text));

/** Checks that every part still answers reads with the data from before. */
async function expectReads(): Promise<void> {
  const { url } = system;
  expect(Object.keys((await get(`${url('posts')}/posts`)).body)).toContain(known);
  expect((await get(`${url('comments')}/posts/${known}/comments`)).body).not.toEqual([]);
  expect((await get(`${url('query')}/posts/${known}`)).body.id).toBe(known);
  expect((await get(`${url('moderation')}/events`)).body.checkpoint).toMatch(/^\d+-/);
  expect((await get(`${url('event-bus')}/events?limit=1`)).body).toHaveLength(1);
}

/**
 * Checks the parts with callers: they refuse, give the reason, and accept writes again once `end` has ended the fault.
 */
async function expectHonestWriters(status: number, end: () => void): Promise<void> {
  for (const send of [writePost, writeComment, writeNote])
    await until('a refusal', async () => {
      const told = await send();
      if (told !== 201) expect(told).toBe(status);
      return told !== 201;
    });
  for (const name of WRITERS) expect([name, await isInTrouble(name)]).toEqual([name, true]);
  await expectReads();
  end();
  for (const send of [writePost, writeComment, writeNote])
    await until('it is taken again', async () => (await send()) === 201);
  for (const name of WRITERS) await until(`${name} is well`, async () => !(await isInTrouble(name)));
}

/** Checks the subscribers: events that they cannot store wait in the log, and other subscribers do not. */
async function expectHonestSubscribers(status: number, end: () => void): Promise<void> {
  const refused = async (name: string) => {
    const response = await get(`${system.url('event-bus')}/subscriptions`);
    const { state, lastError } = response.body.find((candidate: { name: string }) => candidate.name === name);
    return state === 'retrying' && `${lastError}`.startsWith(`answered ${status} `);
  };
  await until('both have refused a push', async () => {
    expect(await writePost()).toBe(201);
    expect(await writeComment()).toBe(201);
    return (await refused('query')) && (await refused('moderation'));
  });
  for (const name of SUBSCRIBERS) expect([name, await isInTrouble(name)]).toEqual([name, true]);
  await expectReads();
  end();
  for (const name of SUBSCRIBERS) await until(`${name} is well`, async () => !(await isInTrouble(name)));
}

describe.each([
  { who: 'the parts with callers', parts: WRITERS, expectHonesty: expectHonestWriters, disk: writersDisk },
  { who: 'the pure subscribers', parts: SUBSCRIBERS, expectHonesty: expectHonestSubscribers, disk: subscribersDisk },
])('of $who', ({ parts, expectHonesty, disk }) => {
  const fileOf = (name: string) => join(system.dataDir, `${name}.db`);

  test('a database locked by another process refuses writes, and recovers', async () => {
    // Waits for a commit that is under way.
    const others = parts.map((name) => new DatabaseSync(fileOf(name), { timeout: 5_000 }));
    for (const other of others) other.exec('BEGIN IMMEDIATE');
    await expectHonesty(503, () => {
      for (const other of others) other.close();
    });
  });

  (disk ? test : test.skip)('a full disk refuses writes, and recovers', async () => {
    disk?.fill();
    await expectHonesty(507, () => disk?.free());
  });

  (protects ? test : test.skip)('a read-only database refuses writes, and recovers', async () => {
    for (const name of parts) {
      await system.part(`stop ${name}`);
      setWritable(fileOf(name), false);
      await system.part(`start ${name}`);
      await until(`${name} is there`, async () => (await get(`${system.url(name)}/readyz`)).status === 200);
    }
    await expectHonesty(503, () => {
      for (const name of parts) setWritable(fileOf(name), true);
    });
  });
});

test('after all that, everything acknowledged is there once, and nothing refused', async () => {
  await system.quiet();
  const outcomes = new Set(writes.map(({ outcome }) => outcome));
  expect(outcomes).toEqual(new Set(['acknowledged', 'refused']));
  expect(check(writes, await takeSnapshot(system))).toEqual([]);
  const noted = (await system.log()).filter(({ type }) => type === 'Noted').map(({ id }) => id);
  expect(notes.refused.length).toBeGreaterThan(0);
  expect(noted).toEqual(notes.taken);
});
