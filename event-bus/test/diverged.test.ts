// Diverged subscriptions: checkpoints of another history of the log.

import { expect, test } from '@jest/globals';
import { type Bus, startBus, startPart, until } from './bus.ts';
import { checkpointed } from './subscribers.ts';

/** Resumes, because then the bus asks for the checkpoint at once instead of every 5 s. */
const askNow = (bus: Bus) => bus.control('a', 'resume');
const diverged = (bus: Bus, name: string) =>
  until(async () => expect(await bus.subscription(name)).toMatchObject({ state: 'diverged' }));

test.each([
  ['of another checksum', `1-${'0'.repeat(32)}`],
  ['past the head', `99-${'0'.repeat(32)}`],
  ['of the start of another log', `0-${'f'.repeat(32)}`],
])(
  'a subscriber whose checkpoint is %s is diverged: it is reported, nothing is pushed, others are unaffected',
  async (_what, place) => {
    const [a, b] = [checkpointed(), checkpointed()];
    const part = await startPart(a.answer);
    const bus = await startBus({ subscriptions: { a: part, b: await startPart(b.answer) } });
    const known = await bus.publish('e1');
    await until(async () => expect(await bus.subscription('a')).toMatchObject({ position: 1 }));

    a.progress.checkpoint = place;
    await askNow(bus);
    await diverged(bus, 'a');
    await bus.publish('e2');
    await until(() => expect(b.applied).toEqual(['e1', 'e2']));
    const { asked } = part;
    await askNow(bus);
    await until(() => expect(part.asked).toBeGreaterThan(asked));
    expect(part.ids).toEqual([['e1']]);
    // The stored position stays, because the subscriber's checkpoint belongs to another history.
    const lastError = expect.stringContaining(place);
    expect(await bus.subscription('a')).toMatchObject({ state: 'diverged', position: 1, lag: 1, lastError });
    expect((await bus.http.get('/readyz').expect(200)).body.degraded).toEqual([
      expect.stringContaining('a is diverged'),
    ]);
    expect(await bus.subscription('b')).toMatchObject({ state: 'live', lag: 0, lastError: null });

    a.progress.checkpoint = known;
    await askNow(bus);
    await until(() => expect(a.applied).toEqual(['e1', 'e2']));
    await until(async () => expect(await bus.subscription('a')).toMatchObject({ state: 'live', lastError: null }));
  },
);

test('a log that was wiped and has grown again is distinguished from the one that a subscriber knows', async () => {
  const a = checkpointed();
  const part = await startPart(a.answer);
  const first = await startBus({ subscriptions: { a: part } });
  await first.publish('e1', 'e2');
  await until(() => expect(a.applied).toEqual(['e1', 'e2']));
  await first.stop();
  const second = await startBus({ subscriptions: { a: part } });
  await second.publish('e1', 'e2', 'e3');
  await diverged(second, 'a');
  expect(a.applied).toEqual(['e1', 'e2']);
});

test('a subscriber that answers a push from another history is diverged from then on', async () => {
  const a = checkpointed();
  const part = await startPart(a.answer);
  const bus = await startBus({ subscriptions: { a: part } });
  await bus.publish('e1');
  await until(async () => expect(await bus.subscription('a')).toMatchObject({ position: 1 }));
  // Restored between two questions: the push is the first to notice.
  a.progress.checkpoint = `7-${'0'.repeat(32)}`;
  await bus.publish('e2');
  await diverged(bus, 'a');
  expect(a.applied).toEqual(['e1']);
});

test('a diverged subscription cannot be skipped, and is replayed from 1 only, also while it is paused', async () => {
  const a = checkpointed(`9-${'0'.repeat(32)}`);
  const bus = await startBus({ subscriptions: { a: await startPart(a.answer) } });
  await bus.publish('e1', 'e2');
  await diverged(bus, 'a');
  for (const pausing of [false, true]) {
    if (pausing) await bus.control('a', 'pause');
    expect((await bus.control('a', 'skip')).status).toBe(409);
    const { status, body } = await bus.control('a', 'replay', { from: 2 });
    expect([status, body.errors]).toEqual([400, [{ field: 'from', detail: 'must be at most 1' }]]);
  }
  expect((await bus.http.get('/dead-letters')).body).toEqual([]);
  await bus.control('a', 'replay', { from: 1 });
  await bus.control('a', 'resume');
  await until(() => expect(a.applied).toEqual(['e1', 'e2']));
  await until(async () => expect(await bus.subscription('a')).toMatchObject({ state: 'live', position: 2 }));
});
