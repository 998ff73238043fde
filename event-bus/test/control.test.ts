// Pausing, resuming and skipping by hand.

import { expect, test } from '@jest/globals';
import { startBus, startPart, until } from './bus.ts';
import { checkpointed, plain } from './subscribers.ts';

test('the list of subscriptions has the name, position and state of each', async () => {
  const [a, b] = [checkpointed(), plain()];
  const [one, two] = [await startPart(a.answer), await startPart(b.answer)];
  const bus = await startBus({ subscriptions: { one, two } });
  await bus.publish('e1');
  await until(() => expect([a.applied, b.applied]).toEqual([['e1'], ['e1']]));
  const well = { position: 1, lag: 0, lagSeconds: 0, state: 'live', replay: null, lastError: null, nextAttempt: null };
  await until(async () => {
    const { body } = await bus.http.get('/subscriptions').expect(200);
    expect(body).toEqual([
      { name: 'one', service: 'one', url: one.url, kind: 'checkpointed', ...well },
      { name: 'two', service: 'two', url: two.url, kind: 'plain', ...well },
    ]);
  });
});

test('lag is measured in events, and in seconds since the oldest of them', async () => {
  const bus = await startBus({ subscriptions: { a: await startPart(checkpointed().answer) } });
  await bus.control('a', 'pause');
  const time = new Date(Date.now() - 3_600_000).toISOString();
  await bus.http.post('/events').send({ type: 'T', time, data: {} }).expect(201);
  await bus.publish('e2');
  const { lag, lagSeconds } = await bus.subscription('a');
  expect(lag).toBe(2);
  expect(lagSeconds).toBeGreaterThanOrEqual(3_599);
});

test('a paused subscription gets no request until it is resumed, even after a restart', async () => {
  const [a, b] = [checkpointed(), checkpointed()];
  const subscriptions = { a: await startPart(a.answer), b: await startPart(b.answer) };
  const bus = await startBus({ subscriptions });
  const { status, body } = await bus.control('a', 'pause');
  expect([status, body]).toEqual([200, expect.objectContaining({ name: 'a', state: 'paused' })]);
  const { asked } = subscriptions.a;
  await bus.publish('e1');
  await until(() => expect(b.applied).toEqual(['e1']));
  await bus.stop();

  const again = await startBus({ folder: bus.folder, subscriptions });
  await until(async () => expect(await again.subscription('a')).toMatchObject({ state: 'paused', lag: 1 }));
  await again.publish('e2');
  await until(() => expect(b.applied).toEqual(['e1', 'e2']));
  expect([subscriptions.a.asked, subscriptions.a.pushes]).toEqual([asked, []]);
  expect((await again.control('a', 'resume')).body).toMatchObject({ name: 'a' });
  await until(() => expect(a.applied).toEqual(['e1', 'e2']));
});

test('a resume tries a failing subscriber again at once', async () => {
  const a = checkpointed();
  const part = await startPart(a.answer);
  part.fail((_push, res) => void res.writeHead(503, { 'retry-after': '3600' }).end(), 1);
  const bus = await startBus({ subscriptions: { a: part } });
  await bus.publish('e1');
  await until(async () => expect(await bus.subscription('a')).toMatchObject({ state: 'retrying' }));
  const { nextAttempt } = await bus.subscription('a');
  await bus.control('a', 'resume');
  await until(() => expect(a.applied).toEqual(['e1']));
  expect(Date.now()).toBeLessThan(Date.parse(nextAttempt));
});

test.each([
  ['get', '/subscriptions/a/pause', 'POST'],
  ['post', '/subscriptions', 'GET'],
  ['post', '/dead-letters', 'GET'],
  ['get', '/dead-letters/1', 'DELETE'],
  ['get', '/dead-letters/1/redeliver', 'POST'],
  ['post', '/stream', 'GET'],
] as const)('%s %s is 405 and names the method that there is', async (method, path, allow) => {
  const bus = await startBus({ subscriptions: { a: await startPart(plain().answer) } });
  await bus.http[method](path).expect(405).expect('allow', allow);
});

test('a malformed command is refused at once, also while an exchange is in flight', async () => {
  const a = checkpointed();
  const part = await startPart(a.answer);
  let release = () => {};
  part.fail((push, res) => {
    release = () => a.answer(push, res);
  }, 1);
  const bus = await startBus({ subscriptions: { a: part }, deadline: 30_000 });
  const upto = await bus.publish('e1');
  await until(() => expect(part.pushes).toHaveLength(1));
  expect((await bus.control('a', 'replay', { from: 'x' })).status).toBe(400);
  release();
  await until(() => expect(a.progress.checkpoint).toBe(upto));
});
