// Reading the log: pages, filters and constant memory.

import { connect } from 'node:net';
import { describe, expect, test } from '@jest/globals';
import { type Bus, cloudEvent, ids, logOf, post, startBus, startPart, stored, until } from './bus.ts';
import { checkpointed } from './subscribers.ts';

type Read = { position: number; id: string; type: string };
const get = async (bus: Bus, query: string): Promise<Read[]> =>
  (await bus.http.get(`/events?${query}`).expect(200)).body;
const positions = async (bus: Bus, query: string) => (await get(bus, query)).map(({ position }) => position);

/** Six events: a1 b1 a2 b2 a3 b3, of the types A and B, the subjects x, x, y, y, z, z. */
async function mixed() {
  const bus = await startBus();
  for (const [i, subject] of ['x', 'y', 'z'].entries()) {
    await bus.http.post('/events').send({ id: `a${i + 1}`, source: 's', type: 'A', subject, data: {} });
    await bus.http.post('/events').send({ id: `b${i + 1}`, source: 's', type: 'B', subject, data: {} });
  }
  return bus;
}

const rare = [1, 4_999, 5_999];
/** Six thousand events, three of them of the type Rare. */
const longLog = logOf(() =>
  ids('', 6_000).map((id) => {
    const type = rare.includes(Number(id)) ? 'Rare' : 'Common';
    return { specversion: '1.0', id, source: 's', type, subject: `${Number(id) % 3}`, data: {} };
  }),
);
const long = async () => startBus({ log: await longLog() });

/** Calls back before each read of the database by a request. */
async function watchReads(bus: Bus, callback: () => Promise<void> | void) {
  await bus.idle();
  await bus.http.get('/readyz').expect(200); // the end of the log has been checked
  const read = bus.db.read.bind(bus.db);
  bus.db.read = async (work) => {
    await callback();
    return read(work);
  };
}

describe('reading the log', () => {
  test('gives every event with its position, in order, and names the head', async () => {
    const bus = await startBus();
    await bus.http
      .get('/events')
      .expect(200, [])
      .expect('event-head', /^0-[0-9a-f]{32}$/);
    const head = await bus.publish(...ids('e', 3));
    const { body } = await bus.http
      .get('/events')
      .expect(200)
      .expect('event-head', head)
      .expect('content-type', /json/);
    expect(body).toMatchObject(ids('e', 3).map((id, i) => ({ position: i + 1, id, type: 'Tested', data: { id } })));
    await bus.http.head('/events').expect(200).expect('event-head', head);
  });

  test.each([
    ['after=4', [5, 6]],
    ['after=6', []],
    ['after=1&limit=2', [2, 3]],
    ['limit=2', [1, 2]],
    ['before=4', [3, 2, 1]],
    ['before=100&limit=2', [6, 5]],
    ['before=1', []],
    ['type=B', [2, 4, 6]],
    ['type=B&before=6', [4, 2]],
    ['subject=y', [3, 4]],
    ['subject=y&type=B&after=1', [4]],
    ['type=Unknown', []],
  ])('?%s gives %j', async (query, expected) => {
    expect(await positions(await mixed(), query)).toEqual(expected);
  });

  test('a log of many pages is one list, in any direction and with any filter', async () => {
    const bus = await long();
    const all = ids('', 6_000).map(Number);
    expect(await positions(bus, '')).toEqual(all);
    expect(await positions(bus, 'before=6001')).toEqual(all.toReversed());
    expect(await positions(bus, 'type=Rare')).toEqual(rare);
    expect(await positions(bus, 'type=Rare&before=6000')).toEqual(rare.toReversed());
    expect(await positions(bus, 'type=Rare&limit=2')).toEqual(rare.slice(0, 2));
    expect(await positions(bus, 'type=Common&limit=5500')).toHaveLength(5_500);
    expect(await positions(bus, 'subject=1')).toHaveLength(2_000);
    expect(await positions(bus, 'subject=1&type=Rare')).toEqual([1, 4_999]);
    expect(await positions(bus, 'subject=1&type=Rare&before=6000')).toEqual([4_999, 1]);
  });

  test('every combination of parameters gives the matching events, in order', async () => {
    const bus = await mixed();
    const all: (Read & { subject: string })[] = await stored(bus);
    for (const range of ['', 'after=0', 'after=3', 'after=9', 'before=1', 'before=4', 'before=9'])
      for (const type of ['', 'A', 'Unknown'])
        for (const subject of ['', 'y', 'unknown'])
          for (const limit of ['', '1', '5']) {
            const [bound, at] = [range.split('=')[0], Number(range.split('=')[1])];
            const matching = all
              .filter((e) => (bound === 'after' ? e.position > at : bound === 'before' ? e.position < at : true))
              .filter((e) => (type ? e.type === type : true) && (subject ? e.subject === subject : true))
              .map(({ position }) => position);
            const ordered = bound === 'before' ? matching.reverse() : matching;
            const query = [range, type && `type=${type}`, subject && `subject=${subject}`, limit && `limit=${limit}`];
            const asked = query.filter(Boolean).join('&');
            expect([asked, await positions(bus, asked)]).toEqual([asked, ordered.slice(0, Number(limit) || undefined)]);
          }
  });

  test.each(['type=Unknown', 'subject=1&type=Unknown', 'subject=unknown&type=Rare'])(
    'a search by ?%s looks at 5,000 positions in one read, from either end',
    async (query) => {
      const bus = await long();
      let reads = 0;
      await watchReads(bus, () => {
        reads += 1;
      });
      expect(await positions(bus, query)).toEqual([]);
      expect(await positions(bus, `before=6001&${query}`)).toEqual([]);
      // Two pages and the head, twice.
      expect(reads).toBe(6);
    },
  );

  test('no page has more than 512 KiB of text, however large the events are', async () => {
    const bus = await startBus();
    const large = () => bus.http.post('/events').send({ type: 'T', data: 'x'.repeat(250_000) });
    for (let i = 0; i < 12; i += 1) await large().expect(201);
    const all = ids('', 12).map(Number);
    let reads = 0;
    await watchReads(bus, () => {
      reads += 1;
    });
    expect(await positions(bus, '')).toEqual(all);
    expect(await positions(bus, 'before=13')).toEqual(all.toReversed());
    expect(await positions(bus, 'type=T')).toEqual(all);
    // Six pages of two events and the head, three times.
    expect(reads).toBeGreaterThanOrEqual(21);
    expect((await bus.http.get('/log/verify')).body).toMatchObject({ ok: true, events: 12 });
  });

  test.each(['', 'type=Unknown', 'before=6001&type=Unknown', 'subject=1', 'subject=1&type=Common'])(
    'the bus serves others between the pages of ?%s, however fast it is read, and if nothing is found',
    async (query) => {
      const bus = await long();
      const readsOfTurn = [0];
      await watchReads(bus, () => {
        readsOfTurn[0] = (readsOfTurn[0] ?? 0) + 1;
      });
      let turn = setImmediate(function nextTurn() {
        readsOfTurn.unshift(0);
        turn = setImmediate(nextTurn);
      });
      await get(bus, query);
      clearImmediate(turn);
      // A page and the head.
      expect(Math.max(...readsOfTurn)).toBeLessThanOrEqual(2);
    },
  );

  test('a search whose reader has left ends', async () => {
    const bus = await long();
    const reader = connect(Number(new URL(bus.url).port), '127.0.0.1');
    let reads = 0;
    await watchReads(bus, async () => {
      reads += 1;
      if (reads > 1) return;
      const before = await bus.connections();
      reader.destroy();
      await until(async () => expect(await bus.connections()).toBeLessThan(before));
    });
    reader.write('GET /events?type=Unknown HTTP/1.1\r\nHost: localhost\r\n\r\n');
    // A page, the head, and this test's own read.
    await until(() => expect(reads).toBe(2));
    expect(await positions(bus, 'after=5998&limit=1')).toEqual([5_999]);
    expect(reads).toBe(4);
  });

  test('a reader that disconnects in the middle does not affect others', async () => {
    const bus = await startBus();
    for (let i = 0; i < 20; i += 1) {
      await bus.http
        .post('/events')
        .send({ type: 'T', data: 'x'.repeat(250_000) })
        .expect(201);
    }
    const leaving = new AbortController();
    const answer = await fetch(`${bus.url}/events`, { signal: leaving.signal });
    await answer.body?.getReader().read();
    leaving.abort();
    expect(await positions(bus, 'after=18')).toEqual([19, 20]);
  });
});

describe('the deliveries of an event', () => {
  test('are listed by subscription, with the time and the number of attempts', async () => {
    const [a, b] = [checkpointed(), checkpointed()];
    const slow = await startPart(b.answer);
    slow.fail((_push, res) => res.writeHead(500).end(), 1);
    const bus = await startBus({ subscriptions: { a: await startPart(a.answer), b: slow } });
    await bus.publish('e');
    const arrivals = await until(async () => {
      const { body } = await bus.http.get('/events/1/deliveries').expect(200);
      expect(body).toHaveLength(2);
      return body;
    });
    const deliveredAt = expect.stringMatching(/^\d{4}-.*Z$/);
    expect(arrivals).toContainEqual({ subscription: 'a', deliveredAt, attempts: 1 });
    expect(arrivals).toContainEqual({ subscription: 'b', deliveredAt, attempts: 2 });
  });

  test('are those of the first time, whatever is replayed', async () => {
    const a = checkpointed();
    const part = await startPart(a.answer);
    const bus = await startBus({ subscriptions: { a: part } });
    await bus.publish('e');
    const told = async () => (await bus.http.get('/events/1/deliveries').expect(200)).body;
    const [first] = await until(async () => {
      const arrivals = await told();
      expect(arrivals).toHaveLength(1);
      return arrivals;
    });
    part.fail((_push, res) => res.writeHead(500).end(), 1);
    await bus.control('a', 'replay');
    await until(async () => expect(await bus.subscription('a')).toMatchObject({ position: 1, replay: null }));
    await until(() => expect(a.applied).toEqual(['e', 'e']));
    await until(async () => expect(await bus.subscription('a')).toMatchObject({ state: 'live' }));
    expect(await told()).toEqual([first]);
  });

  test('are an empty list for a position that was not delivered', async () => {
    const bus = await startBus();
    await bus.http.get('/events/7/deliveries').expect(200, []);
  });
});

test("HEAD names the log's end without reading an event, however large or damaged the first one is", async () => {
  const bus = await startBus();
  await post(bus, cloudEvent('large', { data: 'x'.repeat(200_000) })).expect(201);
  const checkpoint = await bus.publish('last');
  await bus.db.write((tx) => tx.run("UPDATE events SET record = '{}' WHERE position = 1"));
  await bus.http.get('/events?limit=1').expect(503);
  const { headers } = await bus.http.head('/events').expect(200);
  expect([headers['event-head'], headers['content-length']]).toEqual([checkpoint, undefined]);
});

test('a reader of the log or its stream that stops reading is disconnected, and its part of the answer is correct', async () => {
  const bus = await startBus({ limits: { unread: 3_000 } });
  const events = 120;
  for (const id of ids('e', events)) await post(bus, cloudEvent(id, { data: 'x'.repeat(200_000) })).expect(201);
  const { port } = new URL(bus.url);
  const stuck = ['GET /events', 'GET /stream HTTP/1.1\r\nLast-Event-ID: 0'].map((line) => {
    const socket = connect(Number(port), '127.0.0.1')
      .on('error', () => {})
      .pause();
    socket.write(`${line.includes('HTTP') ? line : `${line} HTTP/1.1`}\r\nHost: localhost\r\n\r\n`);
    return socket;
  });
  await until(async () => expect(await bus.connections()).toBe(2));
  expect(await get(bus, 'after=0')).toHaveLength(events);
  await until(async () => expect(await bus.connections()).toBe(0));
  for (const socket of stuck) socket.destroy();
});
