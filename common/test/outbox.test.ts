// The outbox and its relay: order, batches, refusals and a classic bus.

import { join } from 'node:path';
import { openDatabase } from '@blog/common/core/database.ts';
import type { Bus } from '@blog/common/core/exchange.ts';
import { enqueue, outboxSchema, prepareReplay } from '@blog/common/core/outbox.ts';
import { Relay } from '@blog/common/core/relay.ts';
import { createApp } from '@blog/common/http/app.ts';
import { afterAll, afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { Router } from 'express';
import { at, FakeBus, type Mode, type Publication } from './fake-bus.ts';
import { frameOf, newFolder, removeFolders, Service, stays, until } from './service.ts';

/** The lines that the relay has logged. */
let lines: object[] = [];
const line = (fields: object, message: string) => void lines.push({ ...fields, message });
const log = { debug: line, info: line, warn: line, error: line, fatal: line };

const publisher = {
  migrations: [outboxSchema],
  create: ({ db, bus }: { db: Service['db']; bus: Bus }) => {
    const frame = frameOf(db);
    const loops = [new Relay({ bus, db, observer: { ...frame.observer, log } })];
    return { app: createApp({ ...frame, routes: [Router()], checks: loops }), loops };
  },
};
const event = (id: string) => ({
  specversion: '1.0',
  id,
  source: 'test',
  type: 'Noted',
  time: '2026-01-01T00:00:00Z',
  data: id,
});
const names = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => `e${from + i}`);

let bus: FakeBus;
let folder: string;
let service: Service;
const start = async () => {
  service = await new Service(publisher, bus.url, folder).open();
};
beforeEach(async () => {
  lines = [];
  bus = await new FakeBus().open();
  folder = newFolder();
  await start();
});
afterEach(async () => {
  await service.close();
  await bus.close();
});
afterAll(removeFolders);

const publish = (...ids: string[]) =>
  service.db.write((tx) => {
    for (const id of ids) enqueue(tx, event(id));
  });
const arrived = () => bus.log.map(({ id }) => id);
/** The rows left in the outbox. Acknowledged ones are deleted by the next commit, so one is made here. */
const left = async () => {
  await service.db.write(() => {});
  return service.rows('SELECT event FROM outbox');
};
const sizes = () => bus.publications.map(({ body }) => (Array.isArray(body) ? body.length : 1));
const contains =
  (id: string) =>
  ({ body }: Publication) =>
    [body].flat().some((e) => e.id === id);

test('events arrive in the order of the outbox, and their rows are deleted', async () => {
  for (const id of names(1, 20)) await publish(id);
  await until(() => bus.log.length === 20);
  expect(bus.log).toEqual(names(1, 20).map(event));
  await until(async () => (await left()).length === 0);
});

test('rows that another process of this service left in the outbox are published without a commit of this one', async () => {
  const other = openDatabase(join(folder, 'service.db'), publisher.migrations);
  await other.write((tx) => enqueue(tx, event('e1')));
  await other.close();
  await until(() => arrived().includes('e1'));
});

test('a bus gets one event as application/json, and batches once it has answered with a position', async () => {
  await publish(...names(1, 2_500));
  await until(() => bus.log.length === 2_500);
  expect(sizes()).toEqual([1, 10, 100, 1_000, 1_000, 389]);
  expect(arrived()).toEqual(names(1, 2_500));
  const types = bus.publications.map(({ headers }) => headers['content-type']);
  expect(types.slice(0, 2)).toEqual(['application/json', 'application/cloudevents-batch+json']);
});

test('a batch has at most 512 KiB', async () => {
  await publish('first');
  await until(() => bus.log.length === 1);
  const large = names(1, 12).map((id) => ({ ...event(id), data: 'é'.repeat(50_000) }));
  await service.db.write((tx) => {
    for (const one of large) enqueue(tx, one);
  });
  await until(() => bus.log.length === 13);
  const bytes = bus.publications.map(({ body }) => Buffer.byteLength(JSON.stringify(body)));
  expect(Math.max(...bytes)).toBeLessThanOrEqual(512 * 1024);
  expect(bus.publications.length).toBeLessThan(13);
});

test('a classic bus always gets single events', async () => {
  bus.mode = 'classic';
  await publish(...names(1, 30));
  await until(async () => (await left()).length === 0);
  expect(bus.log).toEqual(names(1, 30).map(event));
  expect(new Set(bus.publications.map(({ headers }) => headers['content-type']))).toEqual(
    new Set(['application/json']),
  );
});

test('a batch answered without positions does not count: its events are sent again singly', async () => {
  await publish('e1');
  await until(() => bus.log.length === 1);
  // Swapped for a classic bus, which answers OK to anything.
  bus.mode = ({ body }) => (Array.isArray(body) ? { status: 200, body: { status: 'OK' } } : 'classic');
  await publish(...names(2, 5));
  await until(() => bus.log.length === 5);
  expect(arrived()).toEqual(names(1, 5));
});

const problem = (status: number, told = status): Mode => ({
  status,
  headers: { 'content-type': 'application/problem+json' },
  body: { status: told, detail: 'not this' },
});

describe('an event refused on its own', () => {
  const refuse = (status: number) => {
    bus.mode = (publication) => (contains('bad')(publication) ? problem(status) : 'ours');
    return publish('e1', 'e2', 'bad', 'e3', 'e4');
  };

  test.each([400, 413, 422])('with %i is kept and listed in /readyz, and the others are sent', async (status) => {
    await refuse(status);
    await until(() => bus.log.length === 4);
    expect(arrived()).toEqual(names(1, 4));
    await until(async () => (await left()).length === 1);
    expect(await service.degraded()).toEqual([expect.stringMatching(new RegExp(`refused bad: ${status} .*not this`))]);
  });

  test.each([400, 409])('with %i has its id, type and trace in the log', async (status) => {
    bus.mode = problem(status);
    const traceId = '0af7651916cd43dd8448eb211c80319c';
    const traced = { ...event('bad'), traceparent: `00-${traceId}-b7ad6b7169203331-01` };
    await service.db.write((tx) => enqueue(tx, traced));
    await until(() => lines.length === 1);
    expect(lines).toEqual([expect.objectContaining({ eventId: 'bad', type: 'Noted', traceId })]);
  });

  test('with 400 is sent again after a restart, and listed as long as it is refused', async () => {
    await refuse(400);
    await until(async () => (await left()).length === 1);
    const refusals = async () => (await service.degraded()).filter((text) => text.includes('refused bad'));
    for (const mode of [bus.mode, 'ours'] as const) {
      await service.close();
      bus.mode = mode;
      bus.publications = [];
      await start();
      await until(() => bus.publications.some(contains('bad')));
      await until(async () => (await refusals()).length === (mode === 'ours' ? 0 : 1));
    }
    await until(async () => (await left()).length === 0);
    expect(arrived()).toEqual([...names(1, 4), 'bad']);
  });

  test('with 400 is sent again on a replay order, with the republished events, and deleted once the bus has it', async () => {
    // Not before it is marked: an order between the answer and the mark leaves that row to the next one.
    const refused = () => service.rows('SELECT event FROM outbox WHERE refused IS NOT NULL');
    await refuse(400);
    for (let times = 1; times <= 2; times += 1) {
      await until(async () => (await refused()).length === times);
      bus.publications = [];
      await service.db.write((tx) => {
        prepareReplay(tx, at(4));
        enqueue(tx, event('bad'));
      });
      await until(() => bus.publications.filter(contains('bad')).length >= 2);
    }
    await until(async () => (await refused()).length === 2);
    bus.mode = 'ours';
    await service.db.write((tx) => prepareReplay(tx, at(4)));
    await until(async () => (await left()).length === 0);
    expect(arrived()).toEqual([...names(1, 4), 'bad']);
    expect(await service.degraded()).toEqual([]);
  });

  test('with 409 is in the log already: its row is deleted, and the others are sent', async () => {
    await refuse(409);
    await until(() => bus.log.length === 4);
    await until(async () => (await left()).length === 0);
    expect(await service.degraded()).toEqual([]);
  });
});

describe("answers that are not the bus's do not count, and no event is dropped:", () => {
  const strangers: [string, Mode][] = [
    ...[400, 409, 413, 422].map((status): [string, Mode] => [`a bare ${status}`, { status, body: { status } }]),
    ['a problem document of another status', problem(400, 422)],
    ['a bare 200', { status: 200, body: { status: 'OK' } }],
    ['a bare 201 of something that has a list', { status: 201, body: [] }],
    ['a position that is none', { status: 200, body: { position: 'first' } }],
  ];
  test.each(strangers)('%s', async (_, mode) => {
    await publish('e1');
    await until(async () => (await left()).length === 0);
    bus.mode = mode;
    bus.publications = [];
    await publish('e2', 'e3');
    await until(async () => bus.publications.length > 1 && (await service.degraded()).length === 1);
    expect(await service.degraded()).toEqual([
      expect.stringMatching(/^Publishing waits: .*(position|problem document)/),
    ]);
    expect(await left()).toHaveLength(2);
    bus.mode = 'ours';
    await until(async () => (await left()).length === 0);
    expect(arrived()).toEqual(names(1, 3));
    expect(await service.degraded()).toEqual([]);
  });

  test('but a classic bus in the place of ours is accepted, once it has identified itself', async () => {
    await publish('e1');
    await until(async () => (await left()).length === 0);
    bus.mode = 'classic';
    await publish('e2', 'e3');
    await until(async () => (await left()).length === 0);
    // It also keeps a batch that it has not understood.
    expect(arrived().filter(Boolean)).toEqual(names(1, 3));
    expect(bus.questions).toBe(1);
  });

  test('nor do those of a foreign server after ours, though there was a classic bus before', async () => {
    for (const [mode, id] of [['ours', 'e1'] as const, ['classic', 'e2'] as const, ['ours', 'e3'] as const]) {
      bus.mode = mode;
      await publish(id);
      await until(async () => (await left()).length === 0);
    }
    bus.mode = { status: 200, body: { status: 'OK' } };
    await publish('e4');
    await until(async () => (await service.degraded()).length === 1);
    bus.mode = 'ours';
    await until(async () => (await left()).length === 0);
    expect(arrived()).toEqual(names(1, 4));
  });
});

describe('while the bus fails, nothing is lost and the order is kept:', () => {
  const failures: [string, Mode][] = [
    ['500', { status: 500 }],
    ['429', { status: 429 }],
    ['404', { status: 404 }],
    ['a redirect', { status: 307, headers: { location: '/elsewhere' } }],
  ];
  test.each(failures)('%s', async (_, mode) => {
    let count = 0;
    bus.mode = () => (++count % 3 === 0 ? 'ours' : mode);
    for (const id of names(1, 3)) await publish(id);
    await until(() => bus.log.length === 3);
    expect(arrived()).toEqual(names(1, 3));
  });

  test('it is away', async () => {
    const port = Number(new URL(bus.url).port);
    await bus.close();
    await publish(...names(1, 3));
    await until(async () => (await service.degraded()).some((text) => text.includes('connection refused')));
    await bus.open(port);
    await until(() => bus.log.length === 3);
    expect(arrived()).toEqual(names(1, 3));
    expect(await service.degraded()).toEqual([]);
  });

  test('it hangs, and the service is restarted', async () => {
    bus.mode = 'hangs';
    await publish(...names(1, 3));
    await until(() => bus.publications.length === 1);
    await service.close();
    bus.mode = 'ours';
    await start();
    await until(() => bus.log.length === 3);
    expect(arrived()).toEqual(names(1, 3));
  });
});

test('events stored by the bus but not acknowledged are sent again after a restart', async () => {
  let taken: Publication | undefined;
  bus.mode = (publication) => {
    taken = publication;
    return { status: 500 };
  };
  await publish('e1');
  await until(() => taken);
  await service.close();
  bus.mode = 'ours';
  await start();
  await until(() => bus.log.length === 1);
  expect(bus.log).toEqual([taken?.body]);
});

test('a 503 with Retry-After is obeyed', async () => {
  let asked = 0;
  bus.mode = () => {
    asked ||= performance.now();
    return bus.publications.length > 1 ? 'ours' : { status: 503, headers: { 'retry-after': '1' } };
  };
  await publish('e1');
  await until(() => bus.log.length === 1);
  expect(performance.now() - asked).toBeGreaterThanOrEqual(990);
});

test("the bus's last checkpoint goes with each publication, also after a restart", async () => {
  await publish('e1');
  await until(async () => (await left()).length === 0);
  await service.close();
  await start();
  await publish('e2');
  await until(async () => (await left()).length === 0);
  await publish('e3');
  await until(() => bus.log.length === 3);
  expect(bus.publications.map(({ headers }) => headers['event-published'])).toEqual([undefined, at(1), at(2)]);
});

test('an event that the log had already does not move the last checkpoint back', async () => {
  await publish('e1', 'e2');
  await until(async () => (await left()).length === 0);
  await publish('e1');
  await until(async () => bus.publications.length === 3 && (await left()).length === 0);
  await publish('e3');
  await until(() => bus.log.length === 3);
  expect(bus.publications.at(-1)?.headers['event-published']).toBe(at(2));
});

test('a bus that has lost events (412) gets no more events, /readyz reports it, and no event is dropped', async () => {
  bus.mode = problem(412);
  await publish('e1', 'e2');
  await until(async () => (await service.degraded()).some((text) => text.includes('lost events')));
  expect(await stays(async () => (await left()).length === 2)).toBe(true);
  bus.mode = 'ours';
  await until(() => bus.log.length === 2);
});
