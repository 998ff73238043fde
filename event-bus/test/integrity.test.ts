// Damage of the log is detected and reported, and nothing is delivered past it.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, test } from '@jest/globals';
import { chain } from '../src/log.ts';
import { type Bus, ids, startBus, startPart, until } from './bus.ts';
import { checkpointed } from './subscribers.ts';

const fileOf = ({ folder }: { folder: string }) => join(folder, 'event-bus.db');

/** Changes the file of a stopped bus, and starts it again. */
async function tamper(bus: Bus, change: (db: DatabaseSync) => void, options: Parameters<typeof startBus>[0] = {}) {
  await bus.stop();
  const db = new DatabaseSync(fileOf(bus));
  change(db);
  db.close();
  return startBus({ ...options, folder: bus.folder });
}

/** Makes the page with this text unreadable. */
async function spoilPage(bus: Bus, text: string, options: Parameters<typeof startBus>[0] = {}) {
  await bus.stop();
  const bytes = readFileSync(fileOf(bus));
  const page = Math.floor(bytes.lastIndexOf(text) / 4096);
  bytes.fill(0xff, page * 4096, (page + 1) * 4096);
  writeFileSync(fileOf(bus), bytes);
  return startBus({ ...options, folder: bus.folder });
}

const verify = async (bus: Bus) => (await bus.http.get('/log/verify').expect(200)).body;
const degraded = async (bus: Bus): Promise<string[]> => (await bus.http.get('/readyz').expect(200)).body.degraded;

test('an intact log is verified as a whole, with the number of its events and its head', async () => {
  const bus = await startBus();
  const origin = await bus.http.get('/events');
  expect(await verify(bus)).toEqual({ ok: true, events: 0, head: origin.headers['event-head'] });
  const head = await bus.publish(...ids('e', 450));
  expect(await verify(bus)).toEqual({ ok: true, events: 450, head });
  await bus.http.post('/log/verify').expect(405);
});

const record = (db: DatabaseSync, position: number) =>
  db.prepare('SELECT record, checksum FROM events WHERE position = ?').get(position) as Record<string, string>;
const MISFIT = 'it does not fit its checksum';

test.each<[string, number, string, string | ((db: DatabaseSync) => void)]>([
  [
    'an altered record',
    3,
    MISFIT,
    'UPDATE events SET record = replace(record, \'{"id"\', \'{"ID"\') WHERE position = 3',
  ],
  ['an altered checksum', 3, MISFIT, "UPDATE events SET checksum = upper(checksum) || 'x' WHERE position = 3"],
  [
    'a record altered together with its own checksum',
    4,
    MISFIT,
    (db) => {
      const other = `${record(db, 3).record} `;
      const checksum = chain(record(db, 2).checksum as string, other);
      db.prepare('UPDATE events SET record = ?, checksum = ? WHERE position = 3').run(other, checksum);
    },
  ],
  ['a missing event', 3, 'it is missing', 'DELETE FROM events WHERE position = 3'],
  ['a missing beginning', 1, 'it is missing', 'DELETE FROM events WHERE position < 3'],
  [
    'two events in each other’s place',
    2,
    MISFIT,
    `UPDATE events SET position = -position WHERE position IN (2, 3);
     UPDATE events SET position = 5 + position WHERE position < 0`,
  ],
  ['another beginning', 1, MISFIT, "UPDATE log SET checksum = 'x'"],
  [
    'another type beside the record',
    4,
    'it is not found under what its record says',
    "UPDATE events SET type = 'X' WHERE position = 4",
  ],
  [
    'another id beside the record',
    4,
    'it is not found under what its record says',
    "UPDATE events SET id = 'x' WHERE position = 4",
  ],
])('%s is found and reported at its position, %d', async (_what, position, reason, change) => {
  const first = await startBus();
  await first.publish(...ids('e', 5));
  const bus = await tamper(first, (db) => (typeof change === 'string' ? db.exec(change) : change(db)));
  expect(await verify(bus)).toEqual({ ok: false, position, reason });
  expect(await degraded(bus)).toContain(`The log is damaged at position ${position}: ${reason}.`);
});

describe('when the newest entries are damaged', () => {
  test('the start reports it, nothing is appended, and only the events before the damage are delivered', async () => {
    const { answer, applied } = checkpointed();
    const first = await startBus();
    await first.publish(...ids('e', 5));
    const altered = 'UPDATE events SET record = replace(record, \'{"id"\', \'{"ID"\') WHERE position = 4';
    const bus = await tamper(first, (db) => db.exec(altered), { subscriptions: { a: await startPart(answer) } });
    await until(() => expect(applied).toEqual(['e1', 'e2', 'e3']));
    const lastError = `The log is damaged at position 4: ${MISFIT}`;
    await until(async () =>
      expect(await bus.subscription('a')).toMatchObject({ state: 'retrying', lag: 2, lastError }),
    );
    expect(await degraded(bus)).toEqual([`${lastError}.`, `Delivery to a is being tried again: ${lastError}.`]);

    const refused = await bus.http.post('/events').send({ type: 'T', data: {} }).expect(503);
    expect(refused.headers['retry-after']).toBe('1');
    expect(refused.body.detail).toBe('The end of the log is damaged: nothing is appended to it.');
    await bus.http
      .get('/events')
      .expect(503)
      .expect('content-type', /problem/);
    await bus.http.get('/events?after=3&limit=1').expect(503);
    expect((await bus.http.get('/events?limit=3').expect(200)).body).toHaveLength(3);
    // A person cannot skip it either.
    expect((await bus.control('a', 'skip')).status).toBe(503);
    expect((await bus.http.get('/dead-letters')).body).toEqual([]);
    expect(applied).toEqual(['e1', 'e2', 'e3']);
  });

  test('an unreadable page is reported with the first position on it, and the events before it can be read', async () => {
    const first = await startBus();
    await first.publish(...ids('long-name-', 60));
    const { answer, applied } = checkpointed();
    const bus = await spoilPage(first, 'long-name-40","source', { subscriptions: { a: await startPart(answer) } });
    const { position, ...verdict } = await verify(bus);
    expect(verdict).toEqual({ ok: false, reason: 'it cannot be read' });
    expect((await degraded(bus)).slice(0, 2)).toEqual([
      'The database is damaged: a page of its file cannot be read.',
      `The log is damaged at position ${position}: it cannot be read.`,
    ]);
    await bus.http.post('/events').send({ type: 'T', data: {} }).expect(503);
    expect((await bus.http.get(`/events?limit=${position - 1}`).expect(200)).body).toHaveLength(position - 1);
    const unreadable = await bus.http.get(`/events?after=${position - 1}&limit=1`).expect(503);
    expect(unreadable.body.detail).toBe('The database cannot be used at the moment; nothing was stored.');
    await until(() => expect(applied).toHaveLength(position - 1));
    await until(async () => expect(await bus.subscription('a')).toMatchObject({ state: 'retrying' }));
  });

  test('an unreadable end is reported, too', async () => {
    const first = await startBus();
    await first.publish(...ids('long-name-', 60));
    const bus = await spoilPage(first, 'long-name-60","source');
    expect(await degraded(bus)).toContain('The end of the log cannot be read.');
    await bus.http.post('/events').send({ type: 'T', data: {} }).expect(503);
    await bus.http.get('/events').expect(503);
    expect(await verify(bus)).toMatchObject({ ok: false, reason: 'it cannot be read' });
  });
});

describe('damage far before the newest entries', () => {
  test('is found by a verification or a delivery; until then the bus works', async () => {
    const first = await startBus();
    await first.publish(...ids('a', 700));
    await first.publish(...ids('b', 700));
    const bus = await tamper(first, (db) => db.exec('DELETE FROM events WHERE position = 300'));
    await bus.publish('c');
    expect(await degraded(bus)).toEqual([]);
    expect(await verify(bus)).toEqual({ ok: false, position: 300, reason: 'it is missing' });
    expect(await degraded(bus)).toEqual(['The log is damaged at position 300: it is missing.']);
    await bus.publish('d');
  });
});

test('during the verification of a long log other requests are served, and concurrent verifications get the same answer', async () => {
  const bus = await startBus();
  for (let batch = 0; batch < 10; batch += 1) await bus.publish(...ids(`${batch}-`, 1_000));
  let done = false;
  const verdict = Promise.all([verify(bus), verify(bus)]).finally(() => {
    done = true;
  });
  let served = 0;
  for (; !done; served += 1) await bus.http.get('/healthz').expect(200);
  expect(served).toBeGreaterThan(5);
  expect((await verdict).map(({ events }) => events)).toEqual([10_000, 10_000]);
});
