// Failed deliveries: retries with backoff, Retry-After, and parking.

import { describe, expect, test } from '@jest/globals';
import { ids, startBus, startPart, until } from './bus.ts';
import { checkpointed, json, lose, type Part, plain } from './subscribers.ts';

type Answer = Part['answer'];

const failures: [string, Answer][] = [
  ['resets the connection', (_push, res) => void res.destroy()],
  ['answers 500', (_push, res) => json(res, 500, { detail: 'out of order' })],
  ['answers 404', (_push, res) => void res.writeHead(404).end()],
  ['answers 429', (_push, res) => void res.writeHead(429).end()],
  ['answers 503', (_push, res) => void res.writeHead(503).end()],
  ['answers 200 with garbage', (_push, res) => void res.end('\0}{"checkpoint":')],
  ['answers 200 with 10 MB', (_push, res) => void res.end(Buffer.alloc(10_000_000, 'x'))],
  ['hangs', () => {}],
  [
    'dribbles its answer',
    (_push, res) => {
      const timer = setInterval(() => res.write(' '), 20);
      res.on('close', () => clearInterval(timer));
    },
  ],
];

test('a subscriber that asks for events as it starts does not wait for the next attempt', async () => {
  const a = checkpointed();
  const part = await startPart((_push, res) => void res.writeHead(503, { 'retry-after': '60' }).end());
  const bus = await startBus({ subscriptions: { a: part } });
  await bus.publish('e1');
  await until(() => expect(part.asked).toBe(1));
  part.answer = a.answer;
  const began = performance.now();
  await bus.http.get('/events?limit=1').set('event-publisher', 'a').expect(200);
  await until(() => expect(a.applied).toEqual(['e1']));
  expect(performance.now() - began).toBeLessThan(9_000);
});

describe('a subscriber that fails', () => {
  test.each([
    ...failures.map(([what, answer]) => [what, answer, checkpointed()] as const),
    ...failures
      .filter(([what]) => /^answers [45]/.test(what))
      .map(([what, answer]) => [what, answer, plain()] as const),
    ['answers a batch with a bare 200', (_push: unknown, res) => void res.end('OK'), checkpointed()] as const,
  ] satisfies (readonly [string, Answer, ReturnType<typeof plain>])[])(
    'because it %s is tried again until it answers, and others have no lag',
    async (what, answer, a) => {
      const b = checkpointed();
      // Short only where it is waited for: an answer of another one must not be late.
      const deadline = /hangs|dribbles/.test(what) ? 500 : undefined;
      const part = await startPart(a.answer);
      part.fail(answer);
      const bus = await startBus({ subscriptions: { a: part, b: await startPart(b.answer) }, deadline });
      await bus.publish('e1');
      await until(() => expect(part.pushes.length).toBeGreaterThan(2));
      await bus.publish('e2', 'e3');
      await until(async () => expect(await bus.subscription('b')).toMatchObject({ state: 'live', lag: 0 }));
      expect(b.applied).toEqual(['e1', 'e2', 'e3']);
      const failing = {
        state: 'retrying',
        position: 0,
        lag: 3,
        lastError: expect.any(String),
        nextAttempt: expect.any(String),
      };
      expect(await bus.subscription('a')).toMatchObject(failing);
      await until(async () => {
        const { body } = await bus.http.get('/readyz').expect(200);
        expect(body.degraded).toEqual([expect.stringMatching(/to a is/)]);
      });

      part.answer = a.answer;
      await until(() => expect(a.applied).toEqual(['e1', 'e2', 'e3']));
      const well = { state: 'live', position: 3, lag: 0, lastError: null, nextAttempt: null };
      await until(async () => expect(await bus.subscription('a')).toMatchObject(well));
    },
  );

  test('because nothing listens there gets everything when it is back', async () => {
    const [a, b] = [checkpointed(), checkpointed()];
    const part = await startPart(a.answer);
    await part.down();
    const bus = await startBus({ subscriptions: { a: part, b: await startPart(b.answer) } });
    await bus.publish('e1', 'e2');
    await until(() => expect(b.applied).toEqual(['e1', 'e2']));
    const failing = { state: 'retrying', lag: 2, lastError: 'connection refused' };
    await until(async () => expect(await bus.subscription('a')).toMatchObject(failing));
    await part.up();
    await until(() => expect(a.applied).toEqual(['e1', 'e2']));
  });

  test('with a redirect is tried again, and the redirect is never followed', async () => {
    const a = checkpointed();
    const elsewhere = await startPart(plain().answer);
    const part = await startPart(a.answer);
    part.fail((_push, res) => void res.writeHead(301, { location: elsewhere.url }).end(), 3);
    const bus = await startBus({ subscriptions: { a: part } });
    await bus.publish('e1');
    await until(() => expect(a.applied).toEqual(['e1']));
    expect(part.pushes).toHaveLength(4);
    expect([elsewhere.asked, elsewhere.pushes]).toEqual([0, []]);
  });

  test.each([429, 503])('with %i and Retry-After is left alone so long, but no longer than 10 s', async (status) => {
    const a = checkpointed();
    const part = await startPart(a.answer);
    part.fail((_push, res) => void res.writeHead(status, { 'retry-after': '3600' }).end(), 1);
    const bus = await startBus({ subscriptions: { a: part } });
    await bus.publish('e1');
    const { nextAttempt } = await until(async () => {
      const subscription = await bus.subscription('a');
      expect(subscription.state).toBe('retrying');
      return subscription;
    });
    // Without the header the first backoff is at most 200 ms.
    const pause = Date.parse(nextAttempt) - Date.now();
    expect(pause).toBeGreaterThan(1_000);
    expect(pause).toBeLessThanOrEqual(10_000);
    await bus.control('a', 'resume');
    await until(() => expect(a.applied).toEqual(['e1']));
  });

  test('gets one event after a failed batch, then twice as many after each success', async () => {
    const a = checkpointed();
    const part = await startPart(a.answer);
    part.fail((_push, res) => void res.writeHead(500).end(), 1);
    const bus = await startBus({ subscriptions: { a: part } });
    await bus.publish(...ids('e', 20));
    await until(() => expect(a.applied).toEqual(ids('e', 20)));
    expect(part.ids.map((batch) => batch.length)).toEqual([20, 1, 2, 4, 8, 5]);
  });

  test('to answer, though it applied the batch, does not get it again, because it is asked for its checkpoint first', async () => {
    const a = checkpointed();
    const part = await startPart(a.answer);
    part.fail(lose(a.answer), 1);
    const bus = await startBus({ subscriptions: { a: part } });
    await bus.publish('e1', 'e2');
    await until(async () => expect(await bus.subscription('a')).toMatchObject({ position: 2, state: 'live' }));
    expect([a.applied, part.pushes.length]).toEqual([['e1', 'e2'], 1]);
  });
});

test('a truncated answer counts as none', async () => {
  const a = checkpointed();
  const part = await startPart(a.answer);
  part.fail((_push, res) => {
    res.writeHead(200, { 'content-length': '1000' }).write('{"checkpoint":');
    setImmediate(() => res.destroy());
  }, 2);
  const bus = await startBus({ subscriptions: { a: part } });
  await bus.publish('e1');
  await until(() => expect(a.applied).toEqual(['e1']));
});
