// Copies of a service: each is a subscription, and has its share of the work.

import { expect, test } from '@jest/globals';
import { type Bus, cloudEvent, EVENT, header, startBus, startPart, until } from './bus.ts';
import { checkpointed, json } from './subscribers.ts';

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
