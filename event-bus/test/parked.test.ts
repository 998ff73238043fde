// Subscribers that refuse everything: their dead letters pile up without affecting others.
import { describe, expect, test } from '@jest/globals';
import { type Bus, header, ids, logOf, startBus, startPart, until } from './bus.ts';
import { checkpointed, json, type Part } from './subscribers.ts';

const EVENTS = 50_000;

const longLog = logOf(() =>
  ids('e', EVENTS).map((id) => ({ specversion: '1.0', id, source: 'test', type: 'Tested', data: {} })),
);

/** The folder of a bus with a long log, in which `a` has dead letters at all positions for which `sql` is true. */
async function parkedWhere(sql: string): Promise<string> {
  const bus = await startBus({ log: await longLog() });
  await bus.db.write((tx) =>
    tx.run(
      `INSERT INTO dead_letters (subscription, position, reason, parked_at)
       SELECT 'a', position, 'refused', 'then' FROM events WHERE ${sql} ORDER BY position`,
    ),
  );
  await bus.stop();
  return bus.folder;
}

const refuse: Part['answer'] = (_push, res) => json(res, 422, { detail: 'never' });

/** Records the maximum number of rows that the bus reads in one turn of the event loop. */
function watchRows(bus: Bus): () => number {
  const rows = [0];
  const read = bus.db.read.bind(bus.db);
  bus.db.read = (work) =>
    read((tx) =>
      work({
        get: tx.get.bind(tx),
        run: tx.run.bind(tx),
        all: <Row>(...query: Parameters<typeof tx.all>) => {
          const found = tx.all<Row>(...query);
          rows[0] = (rows[0] ?? 0) + found.length;
          return found;
        },
        *each<Row>(...query: Parameters<typeof tx.each>) {
          for (const row of tx.each<Row>(...query)) {
            rows[0] = (rows[0] ?? 0) + 1;
            yield row;
          }
        },
      }),
    );
  setImmediate(function nextTurn() {
    rows.unshift(0);
    setImmediate(nextTurn).unref();
  }).unref();
  return () => Math.max(...rows);
}

describe.each([
  ['in one run', 'true', EVENTS],
  ['at every second position', 'position % 2 = 1', 1],
  ['in a run, but for the last event', `position < ${EVENTS}`, EVENTS - 1],
])('very many dead letters, %s', (_how, sql, run) => {
  test('do not delay others: no more than a few batches are read before they are served', async () => {
    const folder = await parkedWhere(sql);
    const [a, b] = [checkpointed(), checkpointed()];
    const bad = await startPart(a.answer);
    bad.fail(refuse);
    const bus = await startBus({ folder, subscriptions: { a: bad, b: await startPart(b.answer) } });
    const most = watchRows(bus);
    await until(() => expect(b.applied).toHaveLength(EVENTS));
    const head = await bus.publish('fresh');
    await until(() => expect(b.applied.at(-1)).toBe('fresh'));
    const past = run + 1;
    // It gets the events after them, and learns that they were passed.
    await until(() => expect(bad.ids.flat()).toContain(past > EVENTS ? 'fresh' : `e${past}`));
    const last = bad.pushes.at(-1);
    expect([header(last, 'after'), a.progress.checkpoint]).toEqual([expect.stringMatching(/^0-/), '0']);
    expect(most()).toBeLessThan(10_000);

    bad.answer = a.answer;
    await bus.control('a', 'resume');
    await until(() => expect(a.progress.checkpoint).toBe(head));
    expect(a.applied.at(-1)).toBe('fresh');
    expect((await bus.control('a', 'replay')).status).toBe(200);
    await until(async () => expect(await bus.subscription('a')).toMatchObject({ replay: null, lag: 0 }));
    expect(most()).toBeLessThan(10_000);
  });
});

test('the position of a plain subscriber passes its dead letters, even if it accepts nothing', async () => {
  const bad = await startPart((push, res) => void res.writeHead(push.method === 'GET' ? 404 : 500).end());
  const bus = await startBus({ subscriptions: { a: bad } });
  await bus.publish('e1', 'e2', 'e3');
  for (const _ of ids('', 2)) expect((await bus.control('a', 'skip')).status).toBe(200);
  await until(async () => expect(await bus.subscription('a')).toMatchObject({ kind: 'plain', position: 2, lag: 1 }));
  await bus.stop();
  const again = await startBus({ folder: bus.folder, subscriptions: { a: bad } });
  await until(async () => expect(await again.subscription('a')).toMatchObject({ position: 2 }));
});

test("an event redelivered ahead of the subscriber's position is delivered again after a loss of its data", async () => {
  const a = checkpointed();
  const part = await startPart(a.answer);
  part.fail(refuse);
  const bus = await startBus({ subscriptions: { a: part } });
  await bus.publish('e1', 'e2');
  expect((await bus.control('a', 'skip')).status).toBe(200);
  await until(() => expect(part.ids.at(-1)).toEqual(['e2']));
  part.fail((push, res) => (header(push, 'upto') ? refuse : a.answer)(push, res));
  const [letter] = (await bus.http.get('/dead-letters').expect(200)).body;
  await bus.http.post(`/dead-letters/${letter.id}/redeliver`).expect(200);
  expect(a.applied).toEqual(['e1']);
  a.applied.length = 0;
  part.answer = a.answer;
  await until(() => expect(a.applied).toEqual(['e1', 'e2']));
});
