// asyncapi.yaml is valid, and describes the events that the bus pushes.

import { expect, test } from '@jest/globals';
import { documentErrors, eventErrors, messages } from './asyncapi.ts';
import { BATCH, header, post, startBus, startPart, stored, until } from './bus.ts';
import { checkpointed, plain } from './subscribers.ts';

const examples = Object.entries(messages).flatMap(([name, { contentType, examples }]) =>
  examples.map(({ payload }) => ({ name, contentType, payload })),
);

test('asyncapi.yaml is a valid AsyncAPI 3 document, and its examples conform to it', () => {
  expect(documentErrors()).toEqual([]);
  expect(examples.map(({ name, payload }) => [name, eventErrors(payload, name)])).toEqual(
    Object.keys(messages).map((name) => [name, '']),
  );
});

test('the bus accepts the examples in each form, and what it stores and pushes conforms to the document', async () => {
  const [keeping, classic] = [await startPart(checkpointed().answer), await startPart(plain().answer)];
  const bus = await startBus({ subscriptions: { keeping, classic } });
  const events = examples.filter(({ contentType }) => contentType !== 'application/json');
  for (const { payload, contentType } of examples) await post(bus, payload, contentType).expect(201);
  const batch = await post(
    bus,
    events.map(({ payload }) => payload),
    BATCH,
  ).expect(201);
  expect(batch.body.positions).toEqual(events.map((_, i) => i + 1));

  const pushed = (part: typeof keeping) => part.pushes.flatMap(({ events }) => events);
  await until(() =>
    expect([pushed(keeping).length, pushed(classic).length]).toEqual([examples.length, examples.length]),
  );
  expect(keeping.pushes.every((push) => push.headers['content-type'] === BATCH && header(push, 'upto'))).toBe(true);
  expect(classic.pushes.every((push) => push.headers['content-type'] === 'application/json' && !push.batch)).toBe(true);
  for (const seen of [pushed(keeping), pushed(classic), await stored(bus)]) {
    expect(seen.map((event: unknown, i: number) => eventErrors(event, examples[i]?.name ?? ''))).toEqual(
      examples.map(() => ''),
    );
    // An event in the classic form became a CloudEvent.
    const classic = seen[examples.findIndex(({ name }) => name === 'Classic')];
    expect(classic).toMatchObject({ specversion: '1.0', source: 'classic', id: expect.any(String), subject: 'p2' });
  }
});
