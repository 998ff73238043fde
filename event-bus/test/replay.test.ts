// Replay orders: positions, ids, and lost answers.

import { describe, expect, test } from '@jest/globals';
import { type Bus, header, ids, startBus, startPart, until } from './bus.ts';
import { checkpointed, json, lose, plain } from './subscribers.ts';

const reaches = (bus: Bus, name: string, position: number) =>
  until(async () => expect(await bus.subscription(name)).toMatchObject({ position, lag: 0, replay: null }));

describe('a replay', () => {
  test('gives a plain subscriber everything from that position again', async () => {
    const a = plain();
    const bus = await startBus({ subscriptions: { a: await startPart(a.answer) } });
    await bus.publish(...ids('e', 4));
    await reaches(bus, 'a', 4);
    expect((await bus.control('a', 'replay', { from: 3 })).status).toBe(200);
    await until(() => expect(a.applied).toEqual([...ids('e', 4), 'e3', 'e4']));
    expect((await bus.control('a', 'replay')).status).toBe(200);
    await until(() => expect(a.applied.slice(6)).toEqual(ids('e', 4)));
  });

  test('orders a checkpointed subscriber to go back to before that position, by an order with its own id', async () => {
    const a = checkpointed();
    const part = await startPart(a.answer);
    const bus = await startBus({ subscriptions: { a: part } });
    const second = await bus.publish('e1', 'e2');
    await bus.publish('e3');
    await reaches(bus, 'a', 3);
    const before = part.pushes.length;
    const { body } = await bus.control('a', 'replay', { from: 3 });
    expect(body.replay).toEqual({ id: expect.stringMatching(/^[0-9a-f-]{36}$/), from: 3 });
    await reaches(bus, 'a', 3);
    expect(a.applied).toEqual(['e1', 'e2', 'e3', 'e3']);
    expect(header(part.pushes[before], 'after')).toBe(second);
    expect(header(part.pushes[before], 'replay')).toBe(body.replay.id);
    expect(a.progress.replay).toBe(body.replay.id);
    expect(part.pushes.filter((push) => header(push, 'replay'))).toHaveLength(1);
  });

  test('is ordered at once, by an empty batch, when there is nothing to push', async () => {
    const a = checkpointed();
    const part = await startPart(a.answer);
    const bus = await startBus({ subscriptions: { a: part } });
    await bus.publish('e1');
    await reaches(bus, 'a', 1);
    const { body } = await bus.control('a', 'replay', { from: 2 });
    await until(() => expect(a.progress.replay).toBe(body.replay.id));
    expect(part.ids).toEqual([['e1'], []]);
  });

  test('is ordered again, under the same id, until an answer names it, and taken once', async () => {
    const a = checkpointed();
    const part = await startPart(a.answer);
    const bus = await startBus({ subscriptions: { a: part } });
    await bus.publish('e1');
    await reaches(bus, 'a', 1);
    // First the order is lost, then its answer.
    part.fail((push, res) => (part.pushes.length === 2 ? res.destroy() : lose(a.answer)(push, res)), 2);
    const { body } = await bus.control('a', 'replay');
    await reaches(bus, 'a', 1);
    expect(a.applied).toEqual(['e1', 'e1']);
    expect(part.pushes.length).toBeGreaterThanOrEqual(3);
    const orders = part.pushes.slice(1).map((push) => header(push, 'replay'));
    expect(new Set(orders)).toEqual(new Set([body.replay.id]));
  });

  test('that was ordered while the subscriber was away is taken when it is back, also after a restart of the bus', async () => {
    const a = checkpointed();
    const part = await startPart(a.answer);
    const bus = await startBus({ subscriptions: { a: part } });
    await bus.publish('e1', 'e2');
    await reaches(bus, 'a', 2);
    await part.down();
    const { body } = await bus.control('a', 'replay', { from: 2 });
    await bus.stop();
    const again = await startBus({ folder: bus.folder, subscriptions: { a: part } });
    await until(async () => expect(await again.subscription('a')).toMatchObject({ replay: body.replay }));
    await part.up();
    await reaches(again, 'a', 2);
    expect(a.applied).toEqual(['e1', 'e2', 'e2']);
    expect(a.progress.replay).toBe(body.replay.id);
  });

  test("refused with 409, because the subscriber's checkpoint is before it, is forgotten", async () => {
    const a = checkpointed();
    const part = await startPart(a.answer);
    const bus = await startBus({ subscriptions: { a: part } });
    await bus.publish('e1', 'e2', 'e3');
    await reaches(bus, 'a', 3);
    part.fail((push, res) => {
      // Wiped between the question and the order.
      Object.assign(a.progress, { checkpoint: '0', replay: null });
      a.answer(push, res);
    }, 1);
    await bus.control('a', 'replay', { from: 3 });
    await reaches(bus, 'a', 3);
    expect(a.applied.slice(3)).toEqual(['e1', 'e2', 'e3']);
    expect(a.progress.replay).toBeNull();
  });

  test('that the subscriber does not understand is forgotten, and it continues at its checkpoint', async () => {
    const a = checkpointed();
    const part = await startPart((push, res) => {
      delete push.headers['event-replay'];
      a.answer(push, res);
    });
    const bus = await startBus({ subscriptions: { a: part } });
    await bus.publish('e1', 'e2');
    await reaches(bus, 'a', 2);
    await bus.control('a', 'replay');
    await reaches(bus, 'a', 2);
    await bus.publish('e3');
    await until(() => expect(a.applied).toEqual(['e1', 'e2', 'e3']));
  });

  test('reaches at most one past the position', async () => {
    const bus = await startBus({ subscriptions: { a: await startPart(plain().answer) } });
    await bus.publish('e1', 'e2');
    await reaches(bus, 'a', 2);
    expect((await bus.control('a', 'replay', { from: 4 })).status).toBe(400);
    expect((await bus.control('a', 'replay', { from: 3 })).status).toBe(200);
  });

  test('of a subscriber whose kind has changed to plain sets the position', async () => {
    const [a, b] = [checkpointed(), plain()];
    const part = await startPart(a.answer);
    const bus = await startBus({ subscriptions: { a: part } });
    await bus.publish('e1', 'e2');
    await reaches(bus, 'a', 2);
    part.answer = b.answer;
    await bus.control('a', 'replay', { from: 2 });
    await until(() => expect(b.applied).toEqual(['e2']));
  });
});

test('a subscriber whose answers never match is retried like any that fails', async () => {
  const part = await startPart((push, res) => json(res, push.method === 'GET' ? 200 : 409, { checkpoint: '0' }));
  const bus = await startBus({ subscriptions: { a: part } });
  await bus.publish('e1');
  await until(async () => {
    const lastError = expect.stringContaining('409');
    expect(await bus.subscription('a')).toMatchObject({
      state: 'retrying',
      lastError,
      nextAttempt: expect.any(String),
    });
  });
});
