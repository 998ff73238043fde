import { createHash } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { BATCH, type Bus, ids, startBus, startPart, until } from './bus.ts';
import { checkpointed } from './subscribers.ts';

const EVENT = 'application/cloudevents+json';
const cloudEvent = (id: string, more: object = {}) => ({
  specversion: '1.0',
  id,
  source: 'test',
  type: 'Tested',
  subject: id,
  time: '2026-01-02T03:04:05Z',
  data: { id },
  ...more,
});
const post = (bus: Bus, body: unknown, type = EVENT) =>
  bus.http
    .post('/events')
    .set('content-type', type)
    .send(typeof body === 'string' ? body : JSON.stringify(body));
const stored = async (bus: Bus) => (await bus.http.get('/events').expect(200)).body;

describe('publishing', () => {
  test('a classic event gets an id, the source "classic" and a time, and is answered with its place', async () => {
    const bus = await startBus();
    const { body } = await post(
      bus,
      { type: 'PostCreated', data: { id: 'p1', title: 'x' } },
      'application/json',
    ).expect(201);
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
    expect((await stored(bus))[0].data).toBeNull();
  });

  test('two equal classic events are two events', async () => {
    const bus = await startBus();
    for (const position of [1, 2]) {
      const { body } = await post(bus, { type: 'T', data: {} }, 'application/json').expect(201);
      expect(body.position).toBe(position);
    }
  });

  test('a CloudEvent is stored as it came, in either media type of one event', async () => {
    const bus = await startBus();
    const first = cloudEvent('a', { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' });
    const second = cloudEvent('b', { data: { text: 'ä\u0000\u2028 "quoted"', list: [1, null] } });
    await post(bus, first).expect(201);
    await post(bus, second, 'application/json').expect(201);
    expect(await stored(bus)).toEqual([
      { position: 1, ...first },
      { position: 2, ...second },
    ]);
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

  test('an event that is twice in one batch is stored once', async () => {
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
    expect(await stored(bus)).toEqual([{ position: 1, ...cloudEvent('a') }]);
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
    const { log, events } = await bus.db.read(async (tx) => ({
      log: await tx.get<{ id: string; checksum: string }>('SELECT * FROM log'),
      events: await tx.all<{ record: string; checksum: string }>('SELECT * FROM events ORDER BY position'),
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

  test('what was answered 201 is there after a restart, and the log goes on behind it', async () => {
    const { folder, stop, ...bus } = await startBus();
    await bus.publish('a');
    await stop();
    const again = await startBus({ folder });
    const { body } = await post(again, cloudEvent('b')).expect(201);
    expect(body.position).toBe(2);
  });
});

describe('a publication that cannot be stored', () => {
  test.each([
    ['no type', {}, EVENT, 'type'],
    ['an empty id', cloudEvent(''), EVENT, 'id'],
    ['an id that is a number', cloudEvent('a', { id: 7 }), EVENT, 'id'],
    ['half of a surrogate pair in its id', cloudEvent('\ud800'), EVENT, 'id'],
    ['NUL in its type', cloudEvent('a', { type: 'a\0b' }), EVENT, 'type'],
    ['another specversion', cloudEvent('a', { specversion: '0.3' }), EVENT, 'specversion'],
    ['no source, as a CloudEvent', { specversion: '1.0', id: 'a', type: 'T' }, EVENT, 'source'],
    ['a time that is none', cloudEvent('a', { time: 'yesterday' }), EVENT, 'time'],
    [
      'data nested too deep',
      `{"type":"T","data":${'['.repeat(99_000)}${']'.repeat(99_000)}}`,
      'application/json',
      'data',
    ],
    ['a list as one event', [cloudEvent('a')], EVENT, 'body'],
    ['one event as a batch', cloudEvent('a'), BATCH, 'body'],
    ['an empty batch', [], BATCH, 'body'],
    ['a batch whose second event has no id', [cloudEvent('a'), cloudEvent('b', { id: undefined })], BATCH, '1.id'],
    ['no body', '', EVENT, 'body'],
  ])('%s: 400 that names the field', async (_what, body, type, field) => {
    const bus = await startBus();
    const answer = await post(bus, body, type)
      .expect(400)
      .expect('content-type', /application\/problem\+json/);
    expect(answer.body.errors.map((error: { field: string }) => error.field)).toContain(field);
    expect(await stored(bus)).toEqual([]);
  });

  test.each([
    ['no JSON', '{"type":', EVENT, 400],
    ['another media type', 'type=T', 'application/x-www-form-urlencoded', 415],
    ['more than a MiB', cloudEvent('a', { data: 'x'.repeat(1024 * 1024) }), EVENT, 413],
    ['an event over 256 KiB', cloudEvent('a', { data: 'x'.repeat(256 * 1024) }), EVENT, 413],
    ['a batch over 512 KiB', ids('x', 4).map((id) => cloudEvent(id, { data: id.repeat(70_000) })), BATCH, 413],
    ['a batch of more than 1,000', ids('x', 1_001).map((id) => cloudEvent(id)), BATCH, 413],
  ])('%s: refused with its status, and nothing is stored', async (_what, body, type, status) => {
    const bus = await startBus();
    await post(bus, body, type)
      .expect(status)
      .expect('content-type', /application\/problem\+json/);
    expect(await stored(bus)).toEqual([]);
  });

  test('another method is 405 and names those that there are', async () => {
    const bus = await startBus();
    await bus.http.delete('/events').expect(405).expect('allow', 'GET, POST');
  });

  test('members named like those of every object change no object', async () => {
    const bus = await startBus();
    const text = '{"type":"T","__proto__":{"polluted":1},"data":{"__proto__":{"polluted":1}}}';
    await post(bus, text, 'application/json').expect(201);
    expect(({} as { polluted?: number }).polluted).toBeUndefined();
    expect((await bus.http.get('/events')).text).toContain('"data":{"__proto__":{"polluted":1}}}');
  });
});

describe('a publisher that says what it was told last', () => {
  test('is served when the log has that place', async () => {
    const bus = await startBus();
    const told = await bus.publish('a');
    await post(bus, cloudEvent('b')).set('event-published', told).expect(201);
  });

  test('says it as a checkpoint, or is answered 400', async () => {
    const bus = await startBus();
    await post(bus, cloudEvent('a')).set('event-published', 'yesterday').expect(400);
  });

  test('is answered 412 when the log lost it: nothing is written, and its subscription is diverged until a replay', async () => {
    const posts = checkpointed();
    const bus = await startBus({ subscriptions: { posts: await startPart(posts.answer) } });
    await bus.publish('a');
    await until(() => expect(posts.applied).toEqual(['a']));

    const lost = `9-${'0'.repeat(32)}`;
    await post(bus, cloudEvent('b', { source: 'posts' }))
      .set('event-published', lost)
      .expect(412);
    expect(await stored(bus)).toHaveLength(1);
    expect(await bus.subscription('posts')).toMatchObject({
      state: 'diverged',
      lastError: expect.stringContaining(lost),
    });
    expect((await bus.http.get('/readyz').expect(200)).body.degraded).toEqual([
      expect.stringContaining('posts is diverged'),
    ]);

    await bus.control('posts', 'replay');
    await until(async () => expect(await bus.subscription('posts')).toMatchObject({ state: 'live', lastError: null }));
    expect(posts.applied).toEqual(['a', 'a']);
  });
});
