// Plain subscribers that accept connections but do not answer an event.
import { describe, expect, test } from '@jest/globals';
import { type Bus, startBus, startPart, until } from './bus.ts';
import { checkpointed, json, type Part, plain } from './subscribers.ts';

type Answer = Part['answer'];
const letters = async (bus: Bus) => (await bus.http.get('/dead-letters').expect(200)).body;

/**
 * Without duplicates: on a busy machine an answer may miss the short deadline of these tests, and the event is sent
 * again.
 */
const once = ({ applied }: { applied: string[] }) => [...new Set(applied)];

/** Behaves so when the event `bad` is pushed to it. */
const onBad =
  (usual: Answer, what: Answer): Answer =>
  (push, res) =>
    (push.events.some(({ id }) => id === 'bad') ? what : usual)(push, res);

const hang: Answer = () => {};
const crash: Answer = (_push, res) => void res.socket?.resetAndDestroy();
const close: Answer = (_push, res) => void res.destroy();

describe('an event that a plain subscriber does not answer', () => {
  test.each<[string, Answer, string, deadline: number | undefined]>([
    ['hangs', hang, 'no answer in time', 1_500],
    ['crashes', crash, 'connection reset', undefined],
    ['closes the connection', close, 'connection reset', undefined],
  ])(
    'because it %s on it, while it answers GET, is parked after three tries, and later events are delivered',
    async (_what, how, why, deadline) => {
      const a = plain();
      const part = await startPart(onBad(a.answer, how));
      const bus = await startBus({ subscriptions: { a: part }, deadline });
      await bus.publish('e1', 'bad', 'e3');
      await until(() => expect(once(a)).toEqual(['e1', 'e3']));
      expect(part.ids.flat().filter((id) => id === 'bad')).toHaveLength(3);
      expect(await letters(bus)).toMatchObject([{ position: 2, reason: `not answered 3 times: ${why}` }]);
      await until(async () => expect(await bus.subscription('a')).toMatchObject({ state: 'live', position: 3 }));
    },
  );

  test('because nothing listens there does not count', async () => {
    const a = plain();
    const part = await startPart(a.answer);
    const bus = await startBus({ subscriptions: { a: part } });
    await bus.publish('e1');
    await until(() => expect(once(a)).toEqual(['e1']));
    await part.down();
    await bus.publish('e2');
    const failures = async () =>
      Number(/^delivery_failures_total.* (\d+)$/m.exec((await bus.http.get('/metrics')).text)?.[1]);
    await until(async () => expect(await failures()).toBeGreaterThan(5));
    await part.up();
    await until(() => expect(once(a)).toEqual(['e1', 'e2']));
    expect(await letters(bus)).toEqual([]);
  });

  test('because it closes idle connections is retried on a new one, and is not parked', async () => {
    const a = plain();
    const part = await startPart((push, res) => {
      const { socket } = res;
      res.on('finish', () => socket?.end());
      if (push.method === 'POST') a.answer(push, res);
      else json(res, 200, {});
    });
    const bus = await startBus({ subscriptions: { a: part } });
    await bus.publish('e1', 'e2', 'e3', 'e4');
    await until(async () => expect(await bus.subscription('a')).toMatchObject({ state: 'live', position: 4 }));
    expect(await letters(bus)).toEqual([]);
  });

  test('while it does not answer GET either, is retried for ever', async () => {
    const a = plain();
    const part = await startPart(a.answer);
    const bus = await startBus({ subscriptions: { a: part }, deadline: 500 });
    await bus.publish('e1');
    await until(() => expect(once(a)).toEqual(['e1']));
    part.answer = hang;
    await bus.publish('e2');
    const asked = part.asked;
    await until(() => expect(part.asked - asked).toBeGreaterThan(5));
    expect(await letters(bus)).toEqual([]);
    part.answer = a.answer;
    await until(() => expect(once(a)).toEqual(['e1', 'e2']));
  });

  test('is never parked for a checkpointed one: it may be killed as often, at that moment', async () => {
    const a = checkpointed();
    const part = await startPart(onBad(a.answer, crash));
    const bus = await startBus({ subscriptions: { a: part } });
    await bus.publish('bad');
    await until(() => expect(part.pushes.length).toBeGreaterThan(5));
    expect(await letters(bus)).toEqual([]);
  });
});
