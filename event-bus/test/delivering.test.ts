// Delivery in order, to each subscription at its own pace.

import { describe, expect, test } from '@jest/globals';
import { header, ids, startBus, startPart, until } from './bus.ts';
import { checkpointed, plain } from './subscribers.ts';

describe('a checkpointed subscriber', () => {
  test("gets batches with the checkpoints before and after them, and the log's head", async () => {
    const a = checkpointed();
    const part = await startPart(a.answer);
    const bus = await startBus({ subscriptions: { a: part } });
    const first = await bus.publish('e1');
    await until(() => expect(a.progress.checkpoint).toBe(first));
    const second = await bus.publish('e2', 'e3');
    await until(() => expect(a.progress.checkpoint).toBe(second));

    expect(part.ids).toEqual([['e1'], ['e2', 'e3']]);
    expect(part.pushes.every(({ batch }) => batch)).toBe(true);
    expect(part.pushes[1]?.headers).toMatchObject({
      'content-type': 'application/cloudevents-batch+json',
      'event-after': first,
      'event-upto': second,
      'event-head': second,
    });
    expect(header(part.pushes[0], 'after')).toMatch(/^0-[0-9a-f]{32}$/);
    expect(part.pushes[0]?.events[0]).toMatchObject({ specversion: '1.0', source: 'test', data: { id: 'e1' } });
  });

  test('gets a backlog in order, in batches of at most 1,000 events and 512 KiB', async () => {
    const a = checkpointed();
    const part = await startPart(a.answer);
    const bus = await startBus({ subscriptions: { a: part } });
    await bus.control('a', 'pause');
    await bus.publish(...ids('x', 1_000));
    await bus.publish(...ids('y', 500));
    const large = ids('z', 5);
    for (const id of large)
      await bus.http
        .post('/events')
        .send({ id, type: 'T', data: 'x'.repeat(200_000) })
        .expect(201);
    await bus.control('a', 'resume');
    await until(() => expect(a.applied).toHaveLength(1_505));
    expect(a.applied).toEqual([...ids('x', 1_000), ...ids('y', 500), ...large]);
    expect(part.ids.map((batch) => batch.length)).toEqual([1_000, 502, 2, 1]);
  });

  test('gets events that it does not handle with the next one that it handles, or a little later', async () => {
    const a = checkpointed('0', null, ['Handled']);
    const part = await startPart(a.answer);
    const bus = await startBus({ subscriptions: { a: part } });
    const publish = (id: string, type: string) => bus.http.post('/events').send({ id, type }).expect(201);
    let round = 0;
    await until(async () => {
      round += 1;
      await publish(`handled ${round}`, 'Handled');
      await until(() => expect(a.applied.at(-1)).toBe(`handled ${round}`));
      await publish(`other ${round}`, 'Other');
      await publish(`handled too ${round}`, 'Handled');
      await until(() => expect(a.applied.at(-1)).toBe(`handled too ${round}`));
      expect(part.ids.at(-1)).toEqual([`other ${round}`, `handled too ${round}`]);
    });
    await publish('z', 'Other');
    await until(() => expect(a.applied.at(-1)).toBe('z'));
  });

  test('never has two exchanges in flight, and events that come meanwhile form the next batch', async () => {
    const a = checkpointed();
    const part = await startPart(a.answer);
    let release = () => {};
    part.fail((push, res) => {
      release = () => a.answer(push, res);
    }, 1);
    const bus = await startBus({ subscriptions: { a: part }, deadline: 30_000 });
    await bus.publish('e1');
    await until(() => expect(part.pushes).toHaveLength(1));
    for (const id of ['e2', 'e3']) await bus.publish(id);
    expect(part.ids).toEqual([['e1']]);
    release();
    await until(() => expect(part.ids).toEqual([['e1'], ['e2', 'e3']]));
  });

  test('that was wiped or restored gets again all events that it has lost', async () => {
    const a = checkpointed();
    const bus = await startBus({ subscriptions: { a: await startPart(a.answer) } });
    const first = await bus.publish('e1');
    await bus.publish('e2', 'e3');
    await until(() => expect(a.applied).toEqual(['e1', 'e2', 'e3']));
    a.progress.checkpoint = first;
    await until(() => expect(a.applied.slice(3)).toEqual(['e2', 'e3']));
    a.progress.checkpoint = '0';
    await bus.publish('e4');
    await until(() => expect(a.applied.slice(5)).toEqual(['e1', 'e2', 'e3', 'e4']));
  });

  test("whose checkpoint is ahead of the bus's copy continues from its own", async () => {
    const a = checkpointed();
    const part = await startPart(a.answer);
    const bus = await startBus({ subscriptions: { a: part } });
    await bus.control('a', 'pause');
    a.progress.checkpoint = await bus.publish('e1', 'e2');
    await bus.publish('e3');
    await bus.control('a', 'resume');
    await until(() => expect(a.applied).toEqual(['e3']));
  });
});

describe('a plain subscriber', () => {
  test('gets one event per POST, in order, each after a 2xx to the one before', async () => {
    const a = plain();
    const part = await startPart(a.answer);
    const bus = await startBus({ subscriptions: { a: part } });
    const last = await bus.publish(...ids('e', 20));
    await until(() => expect(a.applied).toEqual(ids('e', 20)));
    expect(part.pushes.every(({ batch }) => !batch)).toBe(true);
    expect(part.pushes.at(-1)?.headers).toMatchObject({ 'content-type': 'application/json', 'event-upto': last });
    expect(header(part.pushes[1], 'after')).toBe(header(part.pushes[0], 'upto'));
    expect(part.pushes[0]?.events[0]).toMatchObject({ type: 'Tested', data: { id: 'e1' } });
    expect(await until(() => bus.subscription('a'))).toMatchObject({ kind: 'plain' });
  });

  test('may publish while a delivery to it is in flight', async () => {
    const a = plain();
    const part = await startPart(a.answer);
    const bus = await startBus({ subscriptions: { a: part } });
    part.fail(async (push, res) => {
      await bus.publish('answer');
      a.answer(push, res);
    }, 1);
    await bus.publish('question');
    await until(() => expect(a.applied).toEqual(['question', 'answer']));
  });
});

test('a new subscription starts at the beginning of the log', async () => {
  const a = plain();
  const early = await startBus();
  await early.publish('e1', 'e2');
  await early.stop();
  await startBus({ folder: early.folder, subscriptions: { a: await startPart(a.answer) } });
  await until(() => expect(a.applied).toEqual(['e1', 'e2']));
});

test('a bus that starts again continues at the checkpoint of each subscriber', async () => {
  const [a, b] = [checkpointed(), plain()];
  const subscriptions = { a: await startPart(a.answer), b: await startPart(b.answer) };
  const bus = await startBus({ subscriptions });
  await bus.publish('e1');
  await until(() => expect([a.applied, b.applied]).toEqual([['e1'], ['e1']]));
  await until(async () => expect(await bus.subscription('b')).toMatchObject({ lag: 0 }));
  await bus.stop();
  const again = await startBus({ folder: bus.folder, subscriptions });
  await again.publish('e2');
  const both = ['e1', 'e2'];
  await until(() => expect([a.applied, b.applied]).toEqual([both, both]));
});

test('a stop while a subscriber hangs ends long before the deadline, and loses nothing', async () => {
  const a = checkpointed();
  const part = await startPart(a.answer);
  part.fail(() => {}, 1);
  const bus = await startBus({ subscriptions: { a: part }, deadline: 600_000 });
  await bus.publish('e1');
  await until(() => expect(part.pushes).toHaveLength(1));
  await bus.stop();
  await startBus({ folder: bus.folder, subscriptions: { a: part } });
  await until(() => expect(a.applied).toEqual(['e1']));
});

test('an event that another process appended, as an old bus does while it stops, needs no further one to be delivered', async () => {
  const a = checkpointed();
  const old = await startBus();
  const bus = await startBus({ folder: old.folder, subscriptions: { a: await startPart(a.answer) } });
  await bus.publish('e1');
  await until(() => expect(a.applied).toEqual(['e1']));
  await old.publish('e2');
  await until(() => expect(a.applied).toEqual(['e1', 'e2']));
  await bus.publish('e3');
  await until(() => expect(a.applied).toEqual(['e1', 'e2', 'e3']));
});
