// Copies of a service: each is a subscription, and has its share of the work.

import { expect, test } from '@jest/globals';
import { Scrape } from '../../common/test/scrape.ts';
import { type Bus, cloudEvent, EVENT, header, startBus, startPart, until } from './bus.ts';
import { checkpointed, json, plain } from './subscribers.ts';

/** Subscriptions with these names, each with a checkpointed subscriber. */
async function startCopies(...names: string[]) {
  const copies = names.map((name) => [name, checkpointed()] as const);
  const parts = await Promise.all(copies.map(async ([name, { answer }]) => [name, await startPart(answer)] as const));
  return Object.fromEntries(parts);
}
const services = async (bus: Bus) =>
  (await bus.http.get('/subscriptions')).body.map((one: Record<string, string>) => one.service);

test('a copy is told its share with each push and question: its place among the copies of its service', async () => {
  const names = ['posts-10', 'posts-2', 'posts-0', 'query'];
  const copies = await startCopies(...names);
  const asked: Record<string, unknown> = {};
  for (const [name, part] of Object.entries(copies)) {
    const usual = part.answer;
    part.answer = (push, res) => {
      if (push.method === 'GET') asked[name] = header(push, 'share');
      usual(push, res);
    };
  }
  const bus = await startBus({ subscriptions: copies });
  await bus.publish('e1');
  const shares = { 'posts-0': '0/3', 'posts-2': '1/3', 'posts-10': '2/3', query: '0/1' };
  const pushed = () => Object.fromEntries(names.map((name) => [name, header(copies[name]?.pushes.at(-1), 'share')]));
  await until(() => expect(pushed()).toEqual(shares));
  expect(asked).toEqual(shares);
  expect(await services(bus)).toEqual(['posts', 'posts', 'posts', 'query']);
});

test('the share of a copy that is paused goes to the others', async () => {
  const copies = await startCopies('posts-0', 'posts-1');
  const bus = await startBus({ subscriptions: copies });
  const share = () => header(copies['posts-1']?.pushes.at(-1), 'share');
  await bus.publish('e1');
  await until(() => expect(share()).toBe('1/2'));
  await bus.control('posts-0', 'pause');
  await bus.publish('e2');
  await until(() => expect(share()).toBe('0/1'));
  await bus.control('posts-0', 'resume');
  await bus.publish('e3');
  await until(() => expect(share()).toBe('1/2'));
});

test('the share of a copy that fails stays for the time of a restart, then goes to the others', async () => {
  const copies = await startCopies('posts-0', 'posts-1');
  const bus = await startBus({ subscriptions: copies });
  const share = () => header(copies['posts-1']?.pushes.at(-1), 'share');
  await bus.publish('e1');
  await until(() => expect(share()).toBe('1/2'));
  copies['posts-0']?.fail((_, res) => json(res, 500, {}));
  await bus.publish('e2');
  await until(async () => expect(await bus.subscription('posts-0')).toMatchObject({ state: 'retrying' }));
  await bus.publish('e3');
  await until(() => expect(copies['posts-1']?.ids.flat()).toContain('e3'));
  expect(share()).toBe('1/2');
  let sent = 3;
  await until(async () => {
    sent += 1;
    await bus.publish(`e${sent}`);
    expect(share()).toBe('0/1');
  });
});

test('a publisher of another history makes the subscription of its copy diverged', async () => {
  const bus = await startBus({ subscriptions: await startCopies('posts-0', 'posts-1', 'comments') });
  await bus.publish('e1');
  const publish = (publisher: string | undefined, source: string) =>
    bus.http
      .post('/events')
      .set({
        'content-type': EVENT,
        'event-published': `7-${'0'.repeat(32)}`,
        ...(publisher && { 'event-publisher': publisher }),
      })
      .send(JSON.stringify(cloudEvent('p', { source })))
      .expect(412);
  const diverged = async () => {
    const { body } = await bus.http.get('/subscriptions').expect(200);
    return body
      .filter(({ state }: { state: string }) => state === 'diverged')
      .map(({ name }: { name: string }) => name);
  };
  await publish('posts-2', 'posts');
  expect(await diverged()).toEqual([]);
  await publish('posts-1', 'posts');
  expect(await diverged()).toEqual(['posts-1']);
  await publish('comments-0', 'comments');
  expect(await diverged()).toEqual(['posts-1', 'comments']);
  await publish(undefined, 'posts');
  expect(await diverged()).toEqual(['posts-0', 'posts-1', 'comments']);
});

/** Copies of posts behind one port, told apart by the host that they are called by; and DNS, which knows some of them. */
async function startPattern() {
  const copies = new Map<string, ReturnType<typeof checkpointed>>();
  const dns = new Map<string, boolean | undefined>();
  const part = await startPart((push, res) => {
    const host = `${push.headers.host}`.split('.')[0] ?? '';
    const copy = copies.get(host) ?? checkpointed();
    copies.set(host, copy);
    copy.answer(push, res);
  });
  const url = part.url.replace('127.0.0.1', 'posts-*.localhost');
  const knows = async (host: string) => (dns.has(host) ? dns.get(host) : false);
  return {
    part,
    set: (ordinal: number, isThere: boolean | undefined) => dns.set(`posts-${ordinal}.localhost`, isThere),
    applied: (ordinal: number) => copies.get(`posts-${ordinal}`)?.applied,
    options: { patterns: [{ name: 'posts-*', url }], dns: { knows, every: 50 } },
  };
}
const states = async (bus: Bus) => {
  const { body } = await bus.http.get('/subscriptions').expect(200);
  return Object.fromEntries(body.map(({ name, state }: Record<string, string>) => [name, state]));
};
const becomes = (bus: Bus, expected: object) => until(async () => expect(await states(bus)).toEqual(expected));
const degraded = async (bus: Bus) => (await bus.http.get('/readyz').expect(200)).body.degraded;

test('the copies of a pattern are those that DNS knows; one that is gone keeps its position, and goes on when it is back', async () => {
  const posts = await startPattern();
  posts.set(0, true);
  posts.set(2, true);
  const bus = await startBus(posts.options);
  await bus.publish('e1');
  await becomes(bus, { 'posts-0': 'live', 'posts-2': 'live' });
  await until(() => expect([posts.applied(0), posts.applied(2)]).toEqual([['e1'], ['e1']]));

  posts.set(1, true);
  posts.set(2, false);
  await becomes(bus, { 'posts-0': 'live', 'posts-1': 'live', 'posts-2': 'gone' });
  await bus.publish('e2');
  await until(() =>
    expect([posts.applied(0), posts.applied(1)]).toEqual([
      ['e1', 'e2'],
      ['e1', 'e2'],
    ]),
  );
  const gone = { state: 'gone', position: 1, lag: 1, nextAttempt: null };
  const metrics = await Scrape.of(bus.url);
  const copies = ['live', 'gone'].map((state) => metrics.value('subscription_copies', { service: 'posts', state }));
  expect(copies).toEqual([2, 1]);
  expect(await bus.subscription('posts-2')).toMatchObject(gone);
  expect(await degraded(bus)).toEqual([]);
  expect(posts.applied(2)).toEqual(['e1']);

  posts.set(2, true);
  await until(() => expect(posts.applied(2)).toEqual(['e1', 'e2']));
});

test('DNS that is in trouble says nothing: a copy is neither gone nor new', async () => {
  const posts = await startPattern();
  posts.set(0, true);
  const bus = await startBus(posts.options);
  await becomes(bus, { 'posts-0': 'live' });
  posts.set(0, undefined);
  posts.set(1, undefined);
  posts.set(2, true);
  await becomes(bus, { 'posts-0': 'live', 'posts-2': 'live' });
});

test('a pattern without any copy is reported', async () => {
  const posts = await startPattern();
  const bus = await startBus(posts.options);
  await until(async () => expect(await degraded(bus)).toEqual(['No copy of posts-* is found.']));
});

test('a person forgets a copy that does not answer, with its dead letters; it begins anew when it is back', async () => {
  const posts = await startPattern();
  posts.set(0, true);
  posts.set(1, true);
  const bus = await startBus(posts.options);
  const usual = posts.part.answer;
  posts.part.answer = (push, res) => {
    const isBad = push.events.some(({ id }) => id === 'bad') && push.headers.host?.startsWith('posts-1');
    if (isBad) json(res, 422, {});
    else usual(push, res);
  };
  await bus.publish('bad', 'e1');
  const letters = async () => (await bus.http.get('/dead-letters').expect(200)).body.length;
  await until(async () => expect(await letters()).toBe(1));
  const forget = (name: string) => bus.http.delete(`/subscriptions/${name}`);
  await until(async () => expect(await bus.subscription('posts-1')).toMatchObject({ state: 'live', lag: 0 }));
  const refused = await forget('posts-1').expect(409);
  expect(refused.body.detail).toBe('posts-1 is live: only one that is gone or does not answer can be forgotten.');

  posts.set(1, false);
  await becomes(bus, { 'posts-0': 'live', 'posts-1': 'gone' });
  const values = async () =>
    (await Scrape.of(bus.url)).samples.filter(({ labels }) => labels.subscription === 'posts-1').length;
  expect(await values()).toBeGreaterThan(0);
  await forget('posts-1').expect(204);
  await forget('posts-1').expect(404);
  expect([await states(bus), await letters(), await values()]).toEqual([{ 'posts-0': 'live' }, 0, 0]);

  posts.part.answer = usual;
  posts.set(1, true);
  await becomes(bus, { 'posts-0': 'live', 'posts-1': 'live' });
});

test('a subscription that is configured by name is not forgotten; one that is not any more is gone', async () => {
  const [a, b] = [await startPart(checkpointed().answer), await startPart(checkpointed().answer)];
  const first = await startBus({ subscriptions: { a, b } });
  await first.publish('e1');
  await until(async () => expect(await first.subscription('b')).toMatchObject({ position: 1 }));
  await b.down();
  await first.publish('e2');
  await until(async () => expect(await first.subscription('b')).toMatchObject({ state: 'retrying' }));
  const { body } = await first.http.delete('/subscriptions/b').expect(409);
  expect(body.detail).toBe('b is in SUBSCRIPTIONS: take it out there, and restart the bus.');
  await first.stop();

  const { folder } = first;
  const second = await startBus({ folder, subscriptions: { a } });
  await becomes(second, { a: 'live', b: 'gone' });
  expect(await second.subscription('b')).toMatchObject({ url: null, position: 1, lag: 1 });
  expect(await degraded(second)).toEqual([]);
  await second.http.delete('/subscriptions/b').expect(204);
  await second.stop();
  await becomes(await startBus({ folder, subscriptions: { a } }), { a: 'live' });
});

test('a service that was alone goes on as its first copy, and the other way round', async () => {
  const one = plain();
  const part = await startPart((push, res) =>
    push.events[0]?.id === 'bad' ? json(res, 422, {}) : one.answer(push, res),
  );
  const alone = await startBus({ subscriptions: { posts: part } });
  await alone.publish('e1', 'bad');
  await until(async () => expect(await alone.subscription('posts')).toMatchObject({ position: 2 }));
  await alone.control('posts', 'replay', { from: 2 });
  await alone.control('posts', 'pause');
  const kept = async (bus: Bus, name: string) => {
    const { position, state, replay } = await bus.subscription(name);
    const letters = (await bus.http.get('/dead-letters')).body;
    return { position, state, replay, letters: letters.map((letter: Record<string, string>) => letter.subscription) };
  };
  const before = await kept(alone, 'posts');
  expect(before).toMatchObject({ position: 2, state: 'paused', letters: ['posts'] });
  await alone.stop();

  const { folder } = alone;
  const posts = await startPattern();
  posts.set(0, true);
  const scaled = await startBus({ folder, ...posts.options });
  const letters = ['posts-0'];
  await until(async () => expect(await kept(scaled, 'posts-0')).toEqual({ ...before, letters }));
  await becomes(scaled, { 'posts-0': 'paused' });
  await scaled.stop();
  const back = await startBus({ folder, subscriptions: { posts: part } });
  await until(async () => expect(await kept(back, 'posts')).toEqual(before));
  await becomes(back, { posts: 'paused' });
});

test('a command names one copy: without an ordinal it is refused with the names', async () => {
  const bus = await startBus({ subscriptions: await startCopies('posts-0', 'posts-1') });
  const { status, body } = await bus.control('posts', 'replay');
  expect([status, body.detail]).toEqual([404, 'name must be one of posts-0, posts-1']);
  expect((await bus.control('posts-1', 'pause')).body).toMatchObject({ name: 'posts-1', state: 'paused' });
  expect(await states(bus)).toEqual({ 'posts-0': expect.not.stringContaining('paused'), 'posts-1': 'paused' });
});
