// The parser of publications, by random events.

import { expect, test } from '@jest/globals';
import type { Request } from 'express';
import fc from 'fast-check';
import { unit, valid } from '../../common/test/requests.ts';
import { verifyLog } from '../src/integrity.ts';
import { append } from '../src/log.ts';
import { parsePublication } from '../src/publication.ts';
import { BATCH, EVENT, startBus } from './bus.ts';

const PLAIN = 'application/json';
const text = fc.oneof(
  fc.string({ unit: fc.oneof(unit, fc.constantFrom('\0', '\ud83c')) }),
  fc.constantFrom('', 'x'.repeat(1_001)),
);
const field = fc.oneof(
  text,
  fc.jsonValue(),
  fc.constantFrom('1.0', '2026-01-01T00:00:00Z', '2026-01-01T00:00:00+01:00'),
);
const names = ['specversion', 'id', 'source', 'type', 'subject', 'time', 'traceparent', 'data', '__proto__'];
/** An event with some of its attributes, each valid or anything else. */
const event = fc
  .tuple(
    fc.record({ specversion: fc.constant('1.0'), id: text, source: text, type: text, data: fc.jsonValue() }),
    fc.dictionary(fc.constantFrom(...names), field, { maxKeys: 2 }),
  )
  .map((parts): unknown => Object.assign({}, ...parts.map((part) => JSON.parse(JSON.stringify(part)))));

const read = (body: unknown, type: string) =>
  parsePublication({ body, is: (asked: string) => (asked === type ? type : false) } as unknown as Request);

test('any publication becomes a list of complete CloudEvents, or a 400', () => {
  const publications = fc.oneof(
    fc.tuple(fc.oneof(event, fc.jsonValue()), fc.constantFrom(PLAIN, EVENT)),
    fc.tuple(fc.oneof(fc.array(event, { maxLength: 3 }), event, fc.jsonValue()), fc.constant(BATCH)),
  );
  const property = fc.property(publications, ([body, type]) => {
    try {
      for (const whole of read(body, type)) {
        expect(whole).toMatchObject({ specversion: '1.0', source: expect.any(String), time: expect.any(String) });
        for (const name of [whole.id, whole.source, whole.type]) {
          expect([name === '', name.length > 1_000, name.isWellFormed(), name.includes('\0')]).toEqual([
            false,
            false,
            true,
            false,
          ]);
        }
        // A complete event stays unchanged, but for the time of this publication.
        const again = JSON.parse(JSON.stringify(whole));
        expect(read(again, EVENT)).toEqual([{ ...again, recordedtime: expect.any(String) }]);
      }
    } catch (error) {
      expect(error).toMatchObject({ status: 400, extra: { errors: expect.anything() } });
    }
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });
  fc.assert(property, { numRuns: 500 });
});

test('an event with any data is recognised when it comes again, and the log stays intact', async () => {
  const bus = await startBus();
  const data = fc.oneof(fc.jsonValue(), fc.record({ id: text }));
  const name = valid({ type: 'string', minLength: 1, maxLength: 1_000, pattern: '^[^\\x00]*$' });
  const events = fc.record({
    specversion: fc.constant('1.0'),
    id: name,
    source: name,
    type: name,
    data,
  });
  const property = fc.asyncProperty(fc.array(events, { minLength: 1, maxLength: 5 }), async (list) => {
    // The same source and id with other content is a conflict, tested elsewhere.
    const unique = [...new Map(list.map((event) => [`${event.source}/${event.id}`, event])).values()];
    const publish = async () => {
      const events = read(JSON.parse(JSON.stringify(unique)), BATCH);
      const { positions, checkpoint } = await bus.db.write((tx) => append(tx, events));
      return { positions, checkpoint };
    };
    const first = await publish().catch((error) => error.status);
    if (first !== 409) expect(await publish()).toEqual(first);
  });
  await fc.assert(property, { numRuns: 60 });
  expect(await verifyLog(bus.db)).toMatchObject({ ok: true });
});
