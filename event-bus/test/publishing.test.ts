// Publishing: positions, batches and deduplication.

import { createHash } from 'node:crypto';
import { expect, test } from '@jest/globals';
import { BATCH, cloudEvent, ids, post, startBus, stored } from './bus.ts';

test('a classic event gets an id, the source "classic" and a time, and is answered with its position', async () => {
  const bus = await startBus();
  const { body } = await post(bus, { type: 'PostCreated', data: { id: 'p1', title: 'x' } }, 'application/json').expect(
    201,
  );
  expect(body).toEqual({
    status: 'OK',
    id: expect.any(String),
    position: 1,
    checkpoint: expect.stringMatching(/^1-[0-9a-f]{32}$/),
  });
  const [event] = await stored(bus);
  expect(event).toMatchObject({
    position: 1,
    specversion: '1.0',
    source: 'classic',
    type: 'PostCreated',
    subject: 'p1',
  });
  expect(event.data).toEqual({ id: 'p1', title: 'x' });
  expect(event.id).toBe(body.id);
  expect(event.id).toMatch(/^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/);
  expect(new Date(event.time).toISOString()).toBe(event.time);
});

test('an event needs no data', async () => {
  const bus = await startBus();
  await post(bus, { type: 'T' }, 'application/json').expect(201);
  expect((await stored(bus))[0]).not.toHaveProperty('data');
});

test('two equal classic events are two events', async () => {
  const bus = await startBus();
  for (const position of [1, 2]) {
    const { body } = await post(bus, { type: 'T', data: {} }, 'application/json').expect(201);
    expect(body.position).toBe(position);
  }
});

test('a CloudEvent is stored unchanged, in either media type of one event, with its recordedtime', async () => {
  const bus = await startBus();
  const first = cloudEvent('a', { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' });
  const second = cloudEvent('b', { data: { text: 'ä\u0000\u2028 "quoted"', list: [1, null] } });
  await post(bus, first).expect(201);
  const before = Date.now();
  await post(bus, { ...second, recordedtime: '2026-01-01T00:00:00Z' }, 'application/json').expect(201);
  const [one, other] = await stored(bus);
  expect(one).toEqual({ position: 1, recordedtime: expect.any(String), ...first });
  expect(other).toEqual({ position: 2, recordedtime: expect.any(String), ...second });
  expect(Date.parse(other.recordedtime)).toBeGreaterThanOrEqual(before);
  expect(Date.parse(other.recordedtime)).toBeLessThanOrEqual(Date.now());
});

test('a batch is answered with the position of each event and the checkpoint of the last', async () => {
  const bus = await startBus();
  const { body } = await post(bus, [cloudEvent('a'), cloudEvent('b'), cloudEvent('c')], BATCH).expect(201);
  expect(body).toEqual({ status: 'OK', positions: [1, 2, 3], checkpoint: expect.stringMatching(/^3-/) });
});

test('an event published again, also by a hundred at once, keeps its first position', async () => {
  const bus = await startBus();
  await post(bus, cloudEvent('first'));
  const answers = await Promise.all(ids('', 100).map(() => post(bus, cloudEvent('again'))));
  expect(answers.map(({ status, body }) => [status, body.position])).toEqual(answers.map(() => [201, 2]));
  expect(await stored(bus)).toHaveLength(2);
});

test('an event contained twice in one batch is stored once', async () => {
  const bus = await startBus();
  const { body } = await post(bus, [cloudEvent('a'), cloudEvent('b'), cloudEvent('a')], BATCH).expect(201);
  expect(body).toMatchObject({ positions: [1, 2, 1], checkpoint: expect.stringMatching(/^2-/) });
  expect(await stored(bus)).toHaveLength(2);
});

test('an id belongs to its source', async () => {
  const bus = await startBus();
  await post(bus, cloudEvent('a'));
  const { body } = await post(bus, cloudEvent('a', { source: 'other', type: 'Other' })).expect(201);
  expect(body.position).toBe(2);
});

test.each([
  ['type', { type: 'Other' }],
  ['subject', { subject: 'other' }],
  ['data', { data: { id: 'a', more: 1 } }],
])('an id used again with another %s is 409, and the first one stands', async (_field, more) => {
  const bus = await startBus();
  await post(bus, cloudEvent('a')).expect(201);
  const { body } = await post(bus, cloudEvent('a', more)).expect(409);
  expect(body.errors).toEqual([{ field: 'id', detail: expect.any(String) }]);
  expect(await stored(bus)).toEqual([{ position: 1, recordedtime: expect.any(String), ...cloudEvent('a') }]);
});

test('an event published again may have another time, trace and order of the members of its data', async () => {
  const bus = await startBus();
  await post(bus, cloudEvent('a', { data: { x: 1, y: { z: 2 } } })).expect(201);
  const again = cloudEvent('a', {
    time: '2027-01-01T00:00:00Z',
    traceparent: '00-1-2-03',
    data: { y: { z: 2 }, x: 1 },
  });
  expect((await post(bus, again).expect(201)).body.position).toBe(1);
});

test('a batch is stored all or nothing', async () => {
  const bus = await startBus();
  await post(bus, cloudEvent('taken'));
  await post(bus, [cloudEvent('a'), cloudEvent('taken', { type: 'Other' })], BATCH).expect(409);
  await post(bus, [cloudEvent('a'), { type: 'T' }], BATCH).expect(400);
  expect(await stored(bus)).toHaveLength(1);
  expect((await post(bus, cloudEvent('b'))).body.position).toBe(2);
});

test('positions have no gap and follow each publisher’s own order, however many publish at once', async () => {
  const bus = await startBus();
  const publisher = async (name: string) => {
    for (const id of ids(name, 20)) await post(bus, cloudEvent(id)).expect(201);
  };
  await Promise.all([...'abcdefgh'].map(publisher));
  const events = await stored(bus);
  expect(events.map(({ position }: { position: number }) => position)).toEqual(ids('', 160).map(Number));
  const ofA = events.map(({ id }: { id: string }) => id).filter((id: string) => id.startsWith('a'));
  expect(ofA).toEqual(ids('a', 20));
});

test('each checksum covers the one before it and the record; the first comes from the log’s own id', async () => {
  const bus = await startBus();
  const answers = [await post(bus, cloudEvent('a')), await post(bus, [cloudEvent('b'), cloudEvent('c')], BATCH)];
  const chain = (text: string) => createHash('sha256').update(text).digest('hex').slice(0, 32);
  const { log, events } = await bus.db.read((tx) => ({
    log: tx.get<{ id: string; checksum: string }>('SELECT * FROM log'),
    events: tx.all<{ record: string; checksum: string }>('SELECT * FROM events ORDER BY position'),
  }));
  expect(log?.id).toMatch(/^[0-9a-f-]{36}$/);
  expect(log?.checksum).toBe(chain(log?.id ?? ''));
  let before = log?.checksum;
  for (const { record, checksum } of events) {
    expect(checksum).toBe(chain(before + record));
    before = checksum;
  }
  expect(answers.map(({ body }) => body.checkpoint)).toEqual([`1-${events[0]?.checksum}`, `3-${before}`]);
});

test('events answered with 201 are there after a restart, and the log continues after them', async () => {
  const { folder, stop, ...bus } = await startBus();
  await bus.publish('a');
  await stop();
  const again = await startBus({ folder });
  const { body } = await post(again, cloudEvent('b')).expect(201);
  expect(body.position).toBe(2);
});
