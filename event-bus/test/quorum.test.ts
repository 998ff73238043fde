// The bus on a quorum: real processes of the bus and of NATS, killed and stopped.

import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { type Nats, NODE_STORE, startNats, withNats } from '../../scripts/lib/nats.ts';
import { BATCH, cloudEvent, startPart, until } from './bus.ts';
import { type Copy, controlState, deleteStreams, leaderOf, leaseOf, newData, startCopy } from './quorum-copies.ts';
import { plain } from './subscribers.ts';

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
async function cleanUp() {
  await Promise.all(copies.splice(0).map((copy) => copy.remove()));
  await deleteStreams(nats.url);
}

/** Two copies; the first of them leads. */
async function startTwo() {
  const a = await start();
  await leaderOf(a);
  const b = await start({ name: 'event-bus-1' });
  await leaderOf(a, b);
  return [a, b] as const;
}
/** An acknowledgement that does not come within a second is a 503; the same event is sent again. */
const publishUntilTaken = (copy: Copy, id: string, more: object = {}) =>
  until(() => copy.publish(id, more).expect(201));
const subscriptions = async (copy: Copy) => (await copy.http.get('/subscriptions').expect(200)).body;
const textOf = (size: number) => ({ data: { text: 'ä'.repeat(size / 2) } });

describe('copies of their own', () => {
  afterEach(cleanUp);

  natsTest('a log moves to the quorum with its control state, which survives kill -9 of the leader', async () => {
    const folder = newData();
    const part = await startPart(plain().answer);
    const away = 'http://127.0.0.1:9/events';
    const alone = await start({
      NATS_URL: '',
      folder,
      env: { SUBSCRIPTIONS: `posts=${away},old=http://127.0.0.1:10/events,plain=${part.url}` },
    });
    await publishUntilTaken(alone, 'm1');
    for (const command of ['pause', 'skip', 'replay'])
      await alone.http.post(`/subscriptions/posts/${command}`).send({}).expect(200);
    await alone.stop();

    const env = { SUBSCRIPTIONS: `posts-0=${away},plain=${part.url}` };
    const a = await start({ folder, env });
    await leaderOf(a);
    const b = await start({ name: 'event-bus-1', env });
    await leaderOf(a, b);
    // Begins with what it has: knows the subscription that is forgotten.
    await b.stop();
    b.start();
    await leaderOf(b, a);
    expect((await subscriptions(b)).map(({ name }: { name: string }) => name)).toEqual(['posts-0', 'plain', 'old']);
    await b.http.delete('/subscriptions/old').expect(204);
    await publishUntilTaken(b, 'm2');
    const known = await until(async () => {
      const state = controlState(a);
      expect(state.subscriptions).toEqual([
        { name: 'plain', position: 2, paused: 0, replay_id: null, replay_from: null },
        { name: 'posts-0', position: 0, paused: 1, replay_id: expect.any(String), replay_from: 1 },
      ]);
      expect(state.dead_letters).toEqual([expect.objectContaining({ subscription: 'posts-0', position: 1 })]);
      expect(controlState(b)).toEqual(state);
      return state;
    });
    await a.kill();
    await until(async () => expect((await subscriptions(b))[0]).toMatchObject({ name: 'posts-0', state: 'paused' }));
    expect(await subscriptions(b)).toHaveLength(2);
    expect((await b.http.get('/dead-letters').expect(200)).body).toHaveLength(1);
    await publishUntilTaken(b, 'm3');
    await until(() => expect(part.ids.flat()).toEqual(['m1', 'm2', 'm3']));
    const { subscriptions: rows } = controlState(b);
    expect(rows[1]).toEqual(known.subscriptions[1]);

    // Any copy's file is a complete log, goes on without the quorum, and comes back.
    await b.stop();
    b.start({ NATS_URL: '', COPY_NAME: 'event-bus' });
    await publishUntilTaken(b, 'm4');
    await b.stop();
    b.start();
    await leaderOf(b);
    a.start();
    await until(async () => expect(await a.ids()).toEqual(['m1', 'm2', 'm3', 'm4']));
    expect(await leaderOf(a, b)).toBe('event-bus-1');
    // It gives its lease back: the other one need not wait for the end of the term.
    await b.stop();
    expect(await leaseOf(nats.url)).not.toContain('event-bus-1');
    await publishUntilTaken(a, 'm5');
  });

  natsTest('a copy of another history says that it is diverged, adds nothing and leads no more', async () => {
    const [a, b] = await startTwo();
    await publishUntilTaken(a, 'd1');
    await until(async () => expect((await b.ready()).status).toBe('ready'));
    await b.stop();
    b.start({ NATS_URL: '', COPY_NAME: 'event-bus' });
    await publishUntilTaken(b, 'only here');
    await b.stop();
    await publishUntilTaken(a, 'only there');
    b.start();
    const answer = await until(() => b.http.get('/readyz').expect(/diverged/));
    expect(answer.status).toBe(503);
    await until(() => expect(b.output()).toMatch(/"level":60.*diverged/));
    expect((await b.http.get('/metrics').expect(200)).text).toMatch(/bus_diverged 1/);
    await a.kill();
    await until(() =>
      b
        .publish('refused')
        .expect(503)
        .expect(/diverged/),
    );
  });

  natsTest('a copy is ready once it takes events, not before', async () => {
    const copy = await start();
    await until(() => copy.http.get('/readyz').expect(200));
    const { status, text } = await copy.publish('r1');
    // The acknowledgement may be late; a copy that was not ready would have refused to add it.
    expect(status === 201 || /The quorum did not take it: timeout/.test(text)).toBe(true);
  });

  natsTest('wrong settings, and a stream that is of another log or has too few replicas, end the start', async () => {
    await leaderOf(await start());
    const url = await start({ env: { COPY_URL: '' } });
    expect([await url.exited(), url.output()]).toEqual([78, expect.stringMatching(/COPY_URL/)]);
    const other = await start({ NATS_URL: '', folder: newData() });
    await publishUntilTaken(other, 'e1');
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
});

describe('two copies', () => {
  let pair: Copy[];
  beforeAll(async () => {
    pair = [...(await startTwo())];
  });
  afterAll(cleanUp);

  /** The copy that leads, and the other one. */
  async function roles() {
    const leader = await leaderOf(...pair);
    return pair.toSorted((a, b) => Number(b.name === leader) - Number(a.name === leader)) as [Copy, Copy];
  }

  natsTest('a leader that is stopped for longer than its lease is fenced when it wakes, and follows', async () => {
    const [a, b] = await roles();
    await publishUntilTaken(a, 'f1');
    a.pause();
    await publishUntilTaken(b, 'f2');
    const late = a.publish('f3').then(({ status }) => status);
    a.resume();
    await late;
    await publishUntilTaken(a, 'f3');
    expect(await leaderOf(a, b)).toBe(b.name);
    const ids = (await b.ids()).filter((id) => id.startsWith('f'));
    expect(ids).toEqual(['f1', 'f2', 'f3']);
    expect((await b.http.get('/log/verify').expect(200)).body).toMatchObject({ ok: true });
  });

  natsTest('a copy that leads again knows what the leader in between was told', async () => {
    const [a, b] = await roles();
    const stateOf = async (copy: Copy) => (await subscriptions(copy))[0].state;
    expect(await stateOf(a)).not.toBe('paused');
    await a.stop();
    await until(() => b.http.post('/subscriptions/nobody/pause').expect(200));
    a.start();
    await leaderOf(a, b);
    await b.stop();
    await until(async () => expect(await stateOf(a)).toBe('paused'));
    await a.http.post('/subscriptions/nobody/resume').expect(200);
    b.start();
    await leaderOf(a, b);
  });

  natsTest('after kill -9 of the leader the other one leads, and nothing acknowledged is lost', async () => {
    const [a, b] = await roles();
    // The stream of a copy that does not lead is passed on, and ends with the leader.
    let told = '';
    const stream = await fetch(`${b.url}/stream`);
    const reading = (async () => {
      for await (const chunk of stream.body ?? []) told += Buffer.from(chunk).toString();
    })().catch(() => {});
    const acknowledged: string[] = [];
    const publish = async (writer: number) => {
      for (let n = 0; n < 60; n += 1) {
        const id = `k${writer}-${n}`;
        if ((await b.publish(id)).status === 201) acknowledged.push(id);
      }
    };
    const writing = [1, 2, 3, 4].map(publish);
    await until(() => expect(acknowledged.length).toBeGreaterThan(20));
    expect(told).toMatch(/"id":"k1-0"/);
    await a.kill();
    await publishUntilTaken(b, 'after');
    await reading;
    await Promise.all(writing);
    const ids = await b.ids();
    expect(ids).toEqual(expect.arrayContaining(acknowledged));
    expect(new Set(ids).size).toBe(ids.length);
    a.start();
  });

  natsTest('a publication whose answer was lost is in the log once', async () => {
    const [a] = await roles();
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

  natsTest('a batch of 512 KiB, and a group that does not fit one message, are taken', async () => {
    const [a, b] = await roles();
    const batch = Array.from({ length: 64 }, (_, n) => cloudEvent(`s${n}`, textOf(7.8 * 1024)));
    await until(() => b.http.post('/events').set('content-type', BATCH).send(JSON.stringify(batch)).expect(201));
    const large = Array.from({ length: 8 }, (_, n) => publishUntilTaken(a, `l${n}`, textOf(250 * 1024)));
    await Promise.all(large);
    const { body } = await a.http.get('/log/verify').expect(200);
    expect(body).toMatchObject({ ok: true });
    expect(await b.ids()).toEqual(expect.arrayContaining(['s63', 'l0', 'l7']));
    await until(() => expect(controlState(b).sealed[0]).toEqual(controlState(a).sealed[0]));
  });

  natsTest(
    'a stream that was put back from an old copy is refused: both copies say that they are diverged',
    async () => {
      const [a, b] = await roles();
      await publishUntilTaken(a, 'p1');
      const stores = nats.nodes.map(({ folder }) => [join(folder, NODE_STORE), join(folder, 'copy')] as const);
      for (const node of nats.nodes) node.pause();
      for (const [store, copy] of stores) cpSync(store, copy, { recursive: true });
      for (const node of nats.nodes) node.resume();
      await publishUntilTaken(a, 'p2');
      await until(() => expect(controlState(b).sealed).toEqual(controlState(a).sealed));
      for (const node of nats.nodes) {
        await node.kill();
        node.wipe();
      }
      for (const [store, copy] of stores) cpSync(copy, store, { recursive: true });
      await Promise.all(nats.nodes.map((node) => node.start()));
      for (const copy of [a, b]) {
        await until(() =>
          copy.http
            .get('/readyz')
            .expect(503)
            .expect(/diverged/),
        );
        await until(() => expect(copy.output()).toMatch(/"level":60.*diverged/));
        expect((await copy.http.get('/metrics').expect(200)).text).toMatch(/bus_diverged 1/);
        await until(() =>
          copy
            .publish('refused')
            .expect(503)
            .expect(/diverged/),
        );
      }
    },
  );
});
