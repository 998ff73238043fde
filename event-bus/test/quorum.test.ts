// The bus on a quorum: real processes of the bus and of NATS, killed and stopped.

import { afterAll, afterEach, beforeAll, expect, jest, test } from '@jest/globals';
import { type Nats, startNats, withNats } from '../../scripts/lib/nats.ts';
import { until } from './bus.ts';
import { type Copy, deleteStreams, leaderOf, newData, startCopy } from './quorum-copies.ts';

jest.setTimeout(60_000);
const natsTest = withNats(test);

let nats: Nats;
const copies: Copy[] = [];
const start = async (options: Parameters<typeof startCopy>[0] = {}) => {
  const copy = await startCopy({ NATS_URL: nats.url, ...options });
  copies.push(copy);
  return copy;
};

beforeAll(async () => {
  nats = await startNats();
});
afterAll(() => nats?.stop());
afterEach(async () => {
  for (const copy of copies.splice(0)) await copy.remove();
  if (nats) await deleteStreams(nats.url);
});

/** Two copies; the first of them leads. */
async function startTwo() {
  const a = await start();
  await leaderOf(a);
  const b = await start({ name: 'event-bus-1' });
  await leaderOf(a, b);
  return [a, b] as const;
}
const publishUntilTaken = (copy: Copy, id: string) => until(() => copy.publish(id).expect(201));
const control = (copy: Copy, command: string) => copy.http.post(`/subscriptions/nobody/${command}`).send({});
const subscription = async (copy: Copy) => (await copy.http.get('/subscriptions').expect(200)).body[0];

natsTest('a log moves to the quorum, and both copies have one log, control state included', async () => {
  const folder = newData();
  const alone = await start({ NATS_URL: '', folder });
  await until(() => alone.publish('m1').expect(201));
  await control(alone, 'pause').expect(200);
  await control(alone, 'skip').expect(200);
  await alone.stop();
  const a = await start({ folder });
  await leaderOf(a);
  const b = await start({ name: 'event-bus-1' });
  await leaderOf(a, b);
  await b.publish('m2').expect(201);
  expect(await a.ids()).toEqual(['m1', 'm2']);
  expect(await b.ids()).toEqual(['m1', 'm2']);

  // Another leads after SIGTERM, at once, and has the control state.
  const stopped = performance.now();
  await a.stop();
  await until(async () => expect((await subscription(b)).state).toBe('paused'));
  expect(performance.now() - stopped).toBeLessThan(2_000);
  expect((await b.http.get('/dead-letters').expect(200)).body).toHaveLength(1);
  await b.publish('m3').expect(201);

  // Any copy's file is a complete log, goes on without the quorum, and comes back.
  await b.stop();
  b.start({ NATS_URL: '', COPY_NAME: 'event-bus' });
  await until(() => b.publish('m4').expect(201));
  await b.stop();
  b.start();
  await leaderOf(b);
  a.start();
  await until(async () => expect(await a.ids()).toEqual(['m1', 'm2', 'm3', 'm4']));
});

natsTest('a leader that is stopped for longer than its lease is fenced when it wakes, and follows', async () => {
  const [a, b] = await startTwo();
  await a.publish('f1').expect(201);
  a.pause();
  await publishUntilTaken(b, 'f2');
  const late = a.publish('f3').then(({ status }) => status);
  a.resume();
  await late;
  await publishUntilTaken(a, 'f3');
  expect(await leaderOf(a, b)).toBe('event-bus-1');
  const ids = (await b.ids()).filter((id) => id.startsWith('f'));
  expect(ids).toEqual(['f1', 'f2', 'f3']);
  expect((await b.http.get('/log/verify').expect(200)).body).toMatchObject({ ok: true });
});

natsTest('after kill -9 of the leader the other one leads, and nothing acknowledged is lost', async () => {
  const [a, b] = await startTwo();
  const acknowledged: string[] = [];
  const publish = async (writer: number) => {
    for (let n = 0; n < 60; n += 1) {
      const id = `k${writer}-${n}`;
      if ((await b.publish(id)).status === 201) acknowledged.push(id);
    }
  };
  const writing = [1, 2, 3, 4].map(publish);
  await until(() => expect(acknowledged.length).toBeGreaterThan(20));
  await a.kill();
  const killed = performance.now();
  await publishUntilTaken(b, 'after');
  expect(performance.now() - killed).toBeLessThan(5_000);
  await Promise.all(writing);
  const ids = await b.ids();
  expect(ids).toEqual(expect.arrayContaining(acknowledged));
  expect(new Set(ids).size).toBe(ids.length);
});

natsTest('a publication whose answer was lost is in the log once', async () => {
  const [a] = await startTwo();
  for (const node of nats.nodes) node.pause();
  const status = a.publish('lost').then((answer) => answer.status);
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect((await a.publish('lost, too')).status).toBe(503);
  for (const node of nats.nodes) node.resume();
  expect(await status).toBe(503);
  await publishUntilTaken(a, 'lost');
  await publishUntilTaken(a, 'lost, too');
  const ids = (await a.ids()).filter((id) => id.startsWith('lost'));
  expect(ids.sort()).toEqual(['lost', 'lost, too']);
});

natsTest('a copy of another history says that it is diverged, adds nothing and leads no more', async () => {
  const [a, b] = await startTwo();
  await a.publish('d1').expect(201);
  await until(async () => expect((await b.ready()).status).toBe('ready'));
  await b.stop();
  b.start({ NATS_URL: '', COPY_NAME: 'event-bus' });
  await until(() => b.publish('only here').expect(201));
  await b.stop();
  await a.publish('only there').expect(201);
  b.start();
  const answer = await until(() => b.http.get('/readyz').expect(/diverged/));
  expect(answer.status).toBe(503);
  expect(b.output()).toMatch(/"level":60.*diverged/);
  expect((await b.http.get('/metrics').expect(200)).text).toMatch(/bus_diverged 1/);
  await a.kill();
  await until(() =>
    b
      .publish('refused')
      .expect(503)
      .expect(/diverged/),
  );
});

natsTest('wrong settings, and a stream that is of another log or has too few replicas, end the start', async () => {
  await leaderOf(await start());
  const url = await start({ env: { COPY_URL: '' } });
  expect([await url.exited(), url.output()]).toEqual([78, expect.stringMatching(/COPY_URL/)]);
  const other = await start({ NATS_URL: '', folder: newData() });
  await until(() => other.publish('e1').expect(201));
  await other.stop();
  other.start({ NATS_URL: nats.url });
  expect([await other.exited(), other.output()]).toEqual([78, expect.stringMatching(/is of another log/)]);
  const few = await start({ env: { NATS_REPLICAS: '5' } });
  expect([await few.exited(), few.output()]).toEqual([
    78,
    expect.stringMatching(/3 replicas, fewer than NATS_REPLICAS/),
  ]);
});

natsTest('a server that acknowledges before it has fsynced is refused', async () => {
  const lazy = await startNats({ count: 1, syncInterval: '2m' });
  try {
    const copy = await start({ NATS_URL: lazy.url, env: { NATS_REPLICAS: '1' } });
    expect([await copy.exited(), copy.output()]).toEqual([78, expect.stringMatching(/sync_interval: always/)]);
  } finally {
    await lazy.stop();
  }
});
