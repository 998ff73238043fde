// A subscriber with a checkpoint: effects happen once, in order, and replay orders are taken once.

import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Share } from '@blog/common/core/checkpoint.ts';
import { openDatabase } from '@blog/common/core/database.ts';
import type { KnownEvent } from '@blog/common/core/events.ts';
import type { Bus } from '@blog/common/core/exchange.ts';
import { checkpointSchema, readinessSchema } from '@blog/common/core/progress.ts';
import type { Tx } from '@blog/common/core/sqlite.ts';
import { Subscriber } from '@blog/common/core/subscriber.ts';
import { createApp, eventRoutes } from '@blog/common/http/app.ts';
import { afterAll, afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { at, FakeBus } from './fake-bus.ts';
import { frameOf, NO_BUS, newFolder, removeFolders, Service, until } from './service.ts';

/** Adds a row for each time an event is handled, so that a second effect shows. */
const handle = (tx: Tx, { data }: KnownEvent) => {
  if (data.id === 'throws') throw new Error('cannot handle this');
  if (data.id === 'large') tx.run('INSERT INTO handled VALUES (?)', 'x'.repeat(100_000));
  tx.run('INSERT INTO handled VALUES (?)', data.id);
};
let share: () => Share;
const subscribing = {
  migrations: [
    `CREATE TABLE handled (id TEXT) STRICT; CREATE TABLE orders (after TEXT) STRICT; ${checkpointSchema} ${readinessSchema}`,
  ],
  create: ({ db, bus }: { db: Service['db']; bus: Bus }) => {
    const onReplay = (tx: Tx, after: string) => void tx.run('INSERT INTO orders VALUES (?)', after);
    const frame = frameOf(db);
    const subscriber = new Subscriber({ ...frame, bus, handlers: { PostCreated: handle }, onReplay });
    share = () => subscriber.share;
    const loops = [subscriber];
    return { app: createApp({ ...frame, routes: [eventRoutes(subscriber, bus.token)], checks: loops }), loops };
  },
};
const deep = (levels: number): object => JSON.parse('{"a":'.repeat(levels) + 1 + '}'.repeat(levels));
const post = (id: string) => ({
  specversion: '1.0',
  id: `${id}/PostCreated`,
  source: 'posts',
  type: 'PostCreated',
  data: { id },
});
const poison = { ...post('poison'), data: { title: 'without its id' } };

let folder: string;
let service: Service;
const start = async (busUrl = NO_BUS) => {
  service = await new Service(subscribing, busUrl, folder).open();
};
beforeEach(async () => {
  folder = newFolder();
  await start();
});
afterEach(() => service.close());
afterAll(removeFolders);

const handled = async () => (await service.rows<{ id: string }>('SELECT id FROM handled')).map(({ id }) => id);
const orders = async () =>
  (await service.rows<{ after: string }>('SELECT after FROM orders')).map(({ after }) => after);
const progress = async () => {
  const { checkpoint, replay } = (await service.http.get('/events').expect(200)).body;
  return { checkpoint, replay };
};

test('a new subscriber answers with checkpoint "0", and accepts any checkpoint at position 0', async () => {
  expect(await progress()).toEqual({ checkpoint: '0', replay: null });
  const { status, body } = await service.push([post('a')], { after: at(0, 'b'), upto: at(1, 'b') });
  expect([status, body]).toEqual([200, { checkpoint: at(1, 'b'), replay: null }]);
});

test('a batch that follows on moves the checkpoint in the transaction of its effects', async () => {
  await service.history([post('a'), post('b')]).expect(200);
  const { body } = await service.push([post('c')], { after: at(2), upto: at(3) }).expect(200);
  expect(body).toEqual({ checkpoint: at(3), replay: null });
  await service.close();
  await start();
  expect(await progress()).toEqual({ checkpoint: at(3), replay: null });
  expect(await handled()).toEqual(['a', 'b', 'c']);
});

test.each([
  ['comes again', at(0), at(2)],
  ['begins further on', at(5), at(6)],
  ['begins at the same position of another history', at(2, 'b'), at(3, 'b')],
])('a batch that %s is answered 409 with the checkpoint, and has no effect', async (_, after, upto) => {
  await service.history([post('a'), post('b')]).expect(200);
  const { body } = await service.push([post('x')], { after, upto }).expect(409);
  expect(body).toEqual({ checkpoint: at(2), replay: null });
  expect(await handled()).toEqual(['a', 'b']);
});

test('the same batch pushed many times concurrently is applied once', async () => {
  const answers = await Promise.all(Array.from({ length: 10 }, () => service.history([post('a'), post('b')])));
  expect(answers.map(({ status }) => status).sort()).toEqual([200, ...Array(9).fill(409)]);
  expect(await handled()).toEqual(['a', 'b']);
});

test.each([
  ['a handler that throws', post('throws')],
  ['a known type without its ids', poison],
  ['a known type without data', { type: 'PostCreated' }],
  ['ids that are neither text nor numbers', { type: 'PostCreated', data: { id: true } }],
  ['an id of more than 200 characters', post('x'.repeat(201))],
  ['an event that is no object', 'text'],
  ['an event without a type', {}],
])('%s is a poison event: 422, nothing of its batch is applied, the checkpoint stays', async (_, event) => {
  const answer = await service.history([post('a'), event]);
  expect(answer.status).toBe(422);
  expect(answer.type).toBe('application/problem+json');
  expect(await handled()).toEqual([]);
  expect(await progress()).toEqual({ checkpoint: '0', replay: null });
});

test('events of unknown types, or not handled here, are ignored, with any content', async () => {
  const unknown = [
    { type: 'CommentCreated', data: {} },
    { type: 'PostRenamed' },
    { type: 'constructor', data: {} },
    { type: '__proto__', data: { id: 'p' } },
  ];
  await service.history([post('a'), ...unknown, post('b')]).expect(200);
  expect(await handled()).toEqual(['a', 'b']);
  expect(await progress()).toMatchObject({ checkpoint: at(6) });
});

test('an empty batch moves the checkpoint', async () => {
  await service.push([], { after: at(0), upto: at(7) }).expect(200);
  expect(await progress()).toMatchObject({ checkpoint: at(7) });
});

test('one event with checkpoints is a batch of one', async () => {
  const checkpoints = { 'event-after': at(0), 'event-upto': at(1), 'event-head': at(1) };
  const { body } = await service.http.post('/events').set(checkpoints).send(post('a')).expect(200);
  expect(body).toEqual({ checkpoint: at(1), replay: null });
  await service.http.post('/events').set(checkpoints).send(post('a')).expect(409);
  expect(await handled()).toEqual(['a']);
});

test('a push without checkpoints (a classic bus, a redelivery) is applied and does not move the checkpoint', async () => {
  await service.history([post('a')]).expect(200);
  await service.push({ type: 'PostCreated', data: { id: 'b' } }).expect(200);
  const redelivery = service.http.post('/events').set('event-head', at(9)).type('application/cloudevents+json');
  await redelivery.send(JSON.stringify(post('c'))).expect(200);
  expect(await handled()).toEqual(['a', 'b', 'c']);
  expect(await progress()).toMatchObject({ checkpoint: at(1) });
});

const readiness = async () => {
  const { status, body } = await service.http.get('/readyz');
  return status === 503 ? body.detail : body.status;
};

test('a new database is not ready until it once stood at the head of the log; this is never forgotten', async () => {
  expect(await readiness()).toBe('It has not caught up with the log yet.');
  await service.push([post('a')], { after: at(0), upto: at(1), head: at(3) }).expect(200);
  await service.http.get('/events').set('event-head', at(3)).expect(200);
  await service.close();
  await start();
  expect(await readiness()).toBe('It has not caught up with the log yet.');
  await service.push([post('b'), post('c')], { after: at(1), upto: at(3), head: at(3) }).expect(200);
  expect(await readiness()).toBe('ready');
  await service.push([post('d')], { after: at(3), upto: at(4), head: at(9) }).expect(200);
  await service.push([], { after: at(0), upto: at(0), head: at(9), replay: 'r' }).expect(200);
  await service.close();
  await start();
  await until(async () => (await readiness()) === 'ready');
});

describe('a database that has missed events while it was not open', () => {
  let bus: FakeBus;
  beforeEach(async () => {
    bus = await new FakeBus().open();
    await service.history([post('a')]).expect(200);
    expect(await readiness()).toBe('ready');
    await service.close();
    bus.log = [post('a'), post('b'), post('c')];
  });
  afterEach(() => bus.close());

  test('is not ready while events come, until it stands at the head; from then on it stays ready', async () => {
    await start(bus.url);
    expect(await readiness()).toBe('It has not caught up with the log yet.');
    await until(() => bus.questions === 1);
    await service.push([post('b')], { after: at(1), upto: at(2), head: at(3) }).expect(200);
    expect(await readiness()).toBe('It has not caught up with the log yet.');
    await service.push([post('c')], { after: at(2), upto: at(3), head: at(3) }).expect(200);
    expect(await readiness()).toBe('ready');
    await service.push([post('d')], { after: at(3), upto: at(4), head: at(9) }).expect(200);
    expect(await readiness()).toBe('ready');
  });

  test('is ready while the bus is away, and not when it is there again', async () => {
    bus.mode = { status: 503 };
    const began = performance.now();
    await start(bus.url);
    await until(async () => (await readiness()) === 'ready');
    expect(performance.now() - began).toBeLessThan(9_000);
    bus.mode = 'ours';
    await until(async () => (await readiness()) === 'It has not caught up with the log yet.');
    await service.push([post('b'), post('c')], { after: at(1), upto: at(3), head: at(3) }).expect(200);
    expect(await readiness()).toBe('ready');
  });

  test('is ready at once if the head is where it stands', async () => {
    bus.log = [post('a')];
    await start(bus.url);
    await until(async () => (await readiness()) === 'ready');
  });
});

test('a new database is ready at once where the log is empty, and a database from before that is ready, too', async () => {
  await service.http.get('/events').set('event-head', at(0)).expect(200);
  await service.http.get('/readyz').expect(200);
  await service.close();
  await start();
  await until(async () => (await readiness()) === 'ready');
  const file = join(newFolder(), 'old.db');
  const before = openDatabase(file, [checkpointSchema]);
  await before.write((tx) => tx.run('UPDATE stand SET checkpoint = ?', at(7)));
  await before.close();
  const old = openDatabase(file, [checkpointSchema, readinessSchema]);
  expect(await old.read((tx) => tx.get('SELECT caughtUp FROM stand'))).toEqual({ caughtUp: 1 });
  await old.close();
});

test('its share of the work is the one that the bus named last', async () => {
  expect(share()).toEqual({ index: 0, count: 1 });
  await service.http.get('/events').set('event-share', '1/3').expect(200);
  expect(share()).toEqual({ index: 1, count: 3 });
  const checkpoints = { 'event-after': at(0), 'event-upto': at(1), 'event-head': at(1) };
  await service.http.post('/events').set(checkpoints).set('event-share', '1/2').send(post('a')).expect(200);
  expect(share()).toEqual({ index: 1, count: 2 });
  for (const wrong of ['0/0', '1', '-1/2', '1/2/3']) {
    await service.http.get('/events').set('event-share', wrong).expect(400);
  }
  await service.http.get('/events').expect(200);
  expect(share()).toEqual({ index: 1, count: 2 });
});

describe('a replay order', () => {
  beforeEach(() => service.history([post('a'), post('b'), post('c')]).expect(200));

  test('is taken once, in the transaction of its batch', async () => {
    const { body } = await service.push([post('b')], { after: at(1), upto: at(2), replay: 'r1' }).expect(200);
    expect(body).toEqual({ checkpoint: at(2), replay: 'r1' });
    await service.push([post('c')], { after: at(2), upto: at(3), replay: 'r1' }).expect(200);
    await service.push([post('b')], { after: at(1), upto: at(2), replay: 'r1' }).expect(409);
    expect(await handled()).toEqual(['a', 'b', 'c', 'b', 'c']);
    expect(await orders()).toEqual([at(1)]);
  });

  test('is not taken when its batch cannot be applied', async () => {
    await service.push([post('throws')], { after: at(1), upto: at(2), replay: 'r1' }).expect(422);
    expect(await progress()).toEqual({ checkpoint: at(3), replay: null });
    expect(await orders()).toEqual([]);
  });

  test('is taken only backwards', async () => {
    const { body } = await service.push([], { after: at(4), upto: at(4), replay: 'r1' }).expect(409);
    expect(body).toEqual({ checkpoint: at(3), replay: null });
  });

  test('moves it to the history of a restored log', async () => {
    const { body } = await service.push([post('x')], { after: at(0, 'b'), upto: at(1, 'b'), replay: 'r1' }).expect(200);
    expect(body).toEqual({ checkpoint: at(1, 'b'), replay: 'r1' });
    expect(await orders()).toEqual([at(0, 'b')]);
  });

  test('can be empty, and is not forgotten in a restart', async () => {
    await service.push([], { after: at(0), upto: at(0), replay: 'r1' }).expect(200);
    await service.close();
    await start();
    expect(await progress()).toEqual({ checkpoint: at(0), replay: 'r1' });
  });
});

test('a full disk is answered 507, a locked database 503: neither counts as a poison event', async () => {
  const pages = (count: number) => service.db.write((tx) => tx.all(`PRAGMA max_page_count = ${count}`));
  await pages(20);
  await service.history([post('a'), post('large')]).expect(507);
  const other = new DatabaseSync(join(folder, 'service.db'));
  other.exec('BEGIN IMMEDIATE');
  await service
    .history([post('a')])
    .expect(503)
    .expect('Retry-After', '1');
  expect(await service.degraded()).toContainEqual(expect.stringMatching(/cannot be used/));
  other.close();
  expect(await service.degraded()).not.toContainEqual(expect.stringMatching(/cannot be used/));
  expect([await handled(), await progress()]).toEqual([[], { checkpoint: '0', replay: null }]);
  await pages(1_000);
  await service.history([post('a'), post('large')]).expect(200);
});

describe('once it listens, it asks the bus for its kind:', () => {
  let bus: FakeBus;
  beforeEach(async () => {
    await service.close();
    bus = await new FakeBus().open();
  });
  afterEach(() => bus.close());

  test('the whole history of a classic bus is applied, except for events that cannot be handled', async () => {
    bus.mode = 'classic';
    bus.log = [post('a'), {}, poison, post('throws'), { type: 'PostCreated', data: { id: 'b' } }];
    await start(bus.url);
    await until(async () => (await handled()).length === 2);
    expect(await handled()).toEqual(['a', 'b']);
    expect(await progress()).toMatchObject({ checkpoint: '0' });
    await service.http.get('/readyz').expect(200);
  });

  test('it asks until it is answered', async () => {
    let asked = 0;
    bus.log = [post('a')];
    bus.mode = () => (++asked < 3 ? { status: 503 } : 'classic');
    await start(bus.url);
    await until(async () => (await handled()).length === 1);
  });

  test('our bus has been heard from when it answers; the events come by its push', async () => {
    bus.log = [post('a')];
    bus.mode = { status: 503 };
    await start(bus.url);
    await until(() => bus.questions === 1);
    expect(await service.degraded()).toEqual(['The bus was not heard from lately.']);
    bus.mode = 'ours';
    await until(async () => (await service.degraded()).length === 0);
    await service.history([post('b')]).expect(200);
    expect(await handled()).toEqual(['b']);
  });
});

test('its address has no other methods, and takes no other media types', async () => {
  const { headers } = await service.http.put('/events').expect(405);
  expect(headers.allow).toBe('GET, POST');
  await service.http.post('/events').type('text/plain').send('{}').expect(415);
  await service.http.post('/events').set('event-after', 'nonsense').send(post('a')).expect(400);
  await service.http
    .post('/events')
    .type('json')
    .send(`["${'x'.repeat(1024 * 1024)}"]`)
    .expect(413);
});

test('an event nested as deeply as a body may be is accepted, alone and in a batch; a deeper one is refused', async () => {
  const event = (levels: number) => ({ ...post('deep'), data: { id: 'deep', deep: deep(levels) } });
  await service.push(event(98)).expect(200);
  await service.push([event(98)], { after: at(0), upto: at(1) }).expect(200);
  const { body } = await service.push([event(99)], { after: at(1), upto: at(2) }).expect(400);
  expect(body.errors).toEqual([{ field: 'body', detail: 'must have at most 100 levels' }]);
});
