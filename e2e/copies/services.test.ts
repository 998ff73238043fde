// Two copies of every service behind one bus: kills, losses and restarts under load. Nothing is lost, doubled, wrong or
// pending, no request gets a wrong 404, and all copies are equal afterwards.
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { SERVICES } from '../../common/src/run/parts.ts';
import { createFaults } from '../lib/faults.ts';
import { post } from '../lib/http.ts';
import { type System, startSystem } from '../lib/system.ts';

process.env.NATS_SERVER = 'none'; // one bus, on any machine

/** The number of kills of each copy. */
const ROUNDS = process.env.LONG ? 10 : 1;

let system: System;
let faults: ReturnType<typeof createFaults>;

beforeAll(async () => {
  system = await startSystem('--production', '--without', 'client', '--copies', '2');
  faults = createFaults(system);
}, 60_000);
afterAll(async () => {
  await system?.stop();
  console.log(`Writes stopped for at most\n${faults?.stops.join('\n')}`);
});

/** The copies that a fault hits at once: each by itself in full size, else all that have the same ordinal. */
const groups = (): string[][] =>
  process.env.LONG
    ? SERVICES.flatMap(system.copiesOf).map((name) => [name])
    : [0, 1].map((ordinal) => SERVICES.map((part) => system.copiesOf(part)[ordinal] as string));

test('kill -9 of each copy of each service, and of all at once, loses nothing', async () => {
  await faults.underLoad(async (fault) => {
    for (let round = 0; round < ROUNDS; round++)
      for (const names of groups()) await fault(`${names} killed`, () => Promise.all(names.map(system.killPart)));
    const all = SERVICES.flatMap(system.copiesOf);
    await fault('all copies of all services killed', () => Promise.all(all.map(system.killPart)));
  });
}, 900_000);

test('a copy whose volume is lost comes back by itself, and what it acknowledged is there', async () => {
  await faults.underLoad(async (fault) => {
    for (const names of groups()) await fault(`${names} lost`, () => Promise.all(names.map(faults.lose)));
  });
}, 600_000);

test('a rolling restart of all services and the bus loses nothing', async () => {
  await faults.underLoad(async (fault) => {
    for (const names of groups()) await fault(`${names} restarted`, () => Promise.all(names.map(faults.restart)));
    await fault('event-bus restarted', () => faults.restart('event-bus'));
  });
}, 600_000);

/** Sends requests for posts with one key, each to another copy, at the same moment. */
function atOnce(...titles: string[]) {
  const headers = { 'idempotency-key': randomUUID() };
  const copies = system.copiesOf('posts');
  return Promise.all(titles.map((title, i) => post(`${system.url(copies[i] as string)}/posts`, { title }, headers)));
}

test('the same request with one key at two copies at once is one post, with one answer', async () => {
  for (let n = 0; n < 20; n++) {
    const title = `the same ${n}`;
    const answers = await atOnce(title, title);
    expect(answers).toMatchObject([{ status: 201 }, { status: 201 }]);
    expect(answers[0]?.body).toEqual(answers[1]?.body);
    faults.written.push({ id: answers[0]?.body.id, title, comments: [] });
  }
  await faults.expectAllRight(); // a second post with the title would be a duplicate
}, 60_000);

test('of two other requests with one key at two copies at once one is made, and the other is refused with 422', async () => {
  for (let n = 0; n < 20; n++) {
    const answers = await atOnce(`one ${n}`, `other ${n}`);
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 422]);
    const { id, title } = answers.find(({ status }) => status === 201)?.body ?? {};
    faults.written.push({ id, title, comments: [] });
  }
  await faults.expectAllRight(); // the other title would be one that was never written
}, 60_000);
