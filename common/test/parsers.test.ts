// Input is either parsed into the stated type or refused with a problem that gives the reason.

import { checkpointText, positionOf, progressSchema } from '@blog/common/core/checkpoint.ts';
import { type EventType, parseEvent } from '@blog/common/core/events.ts';
import { retryAfter } from '@blog/common/core/loop.ts';
import { Problem } from '@blog/common/core/problem.ts';
import { idempotencyKey, parsePage, requestText } from '@blog/common/http/input.ts';
import { afterEach, expect, test } from '@jest/globals';
import type { Request } from 'express';
import fc from 'fast-check';
import type { Json } from './fake-bus.ts';
import { unit } from './requests.ts';

afterEach(() => expect(Object.getOwnPropertyNames(Object.prototype)).toEqual(prototype));
const prototype = Object.getOwnPropertyNames(Object.prototype);

/** Includes characters that no text may contain. */
const text = fc.string({ unit: fc.oneof(unit, fc.constantFrom('\0', '\ud83c', '\udf4a')), maxLength: 12 });
/** JSON as received, with `__proto__` and `constructor` as ordinary keys. */
const json = fc
  .tuple(fc.constantFrom('__proto__', 'constructor', 'toString', 'data'), fc.jsonValue(), fc.jsonValue())
  .map(
    ([name, value, other]): Json =>
      JSON.parse(`{"${name}":{"polluted":${JSON.stringify(value)}},"other":${JSON.stringify(other)}}`),
  );
const anything: fc.Arbitrary<Json> = fc.oneof(json, fc.jsonValue(), fc.anything(), text);

/** Returns the result of `parse`, or the status of the Problem that it throws; any other error fails the test. */
function attempt<T>(parse: () => T): { value?: T; status?: number } {
  try {
    return { value: parse() };
  } catch (error) {
    if (error instanceof Problem) return { status: error.status };
    throw error;
  }
}

const TYPES: EventType[] = ['PostCreated', 'CommentCreated', 'CommentModerated', 'CommentUpdated'];

test('an event is of a known type with its ids, ignored, or a 422', () => {
  const data = fc.oneof(fc.record({ id: text, postId: text }), anything);
  const events = fc.record({
    type: fc.oneof(fc.constantFrom(...TYPES, 'Other', '__proto__'), anything),
    data,
  });
  fc.assert(
    fc.property(fc.oneof(events, anything), (input) => {
      const { value, status } = attempt(() => parseEvent(input, TYPES));
      if (status !== undefined) return void expect(status).toBe(422);
      if (value === undefined) return void expect(TYPES).not.toContain(input.type);
      expect(TYPES).toContain(value.type);
      expect(value.data.id).toBe(String(input.data.id));
      expect(value.data.id.isWellFormed()).toBe(true);
    }),
    { numRuns: 500 },
  );
});

test('an event with its ids is never a poison event; other invalid fields count as missing', () => {
  const id = fc.string({ minLength: 1, maxLength: 200 });
  const fields = { title: anything, content: anything, createdAt: anything, status: anything, more: anything };
  const events = fc.record({
    type: fc.constantFrom(...TYPES),
    id: anything,
    time: anything,
    data: fc.record({ id, postId: id, ...fields }, { requiredKeys: ['id', 'postId'] }),
  });
  fc.assert(
    fc.property(events, (input) => {
      const { data, time } = parseEvent(input, TYPES) ?? {};
      const { title, content, createdAt, status } = data as Record<string, unknown>;
      for (const value of [title, content, createdAt, time]) expect(['string', 'undefined']).toContain(typeof value);
      expect(['approved', 'rejected', undefined]).toContain(status);
      expect(data?.id).toBe(input.data.id);
    }),
    { numRuns: 500 },
  );
});

test('a text is trimmed, and valid if it has 1 to the maximum of characters, all of them complete', () => {
  fc.assert(
    fc.property(text, (input) => {
      const { success, data } = requestText(5).safeParse(input);
      const trimmed = input.trim();
      const count = Array.from(trimmed).length;
      expect(success).toBe(count >= 1 && count <= 5 && !/\0|\p{Surrogate}/u.test(trimmed));
      if (success) expect(data).toBe(trimmed);
    }),
    { numRuns: 1_000 },
  );
});

test('a list takes a whole number from 1 to 1,000 as its limit, and an id as its cursor; anything else is a 400', () => {
  const value = fc.oneof(
    fc.integer().map(String),
    fc.constantFrom('', '1e2', '0x1', ' 1', '1.0', '1000', '1001'),
    text,
  );
  const query = fc.dictionary(fc.constantFrom('limit', 'cursor', '__proto__'), fc.oneof(value, fc.array(value)));
  fc.assert(
    fc.property(query, (query) => {
      const { value, status } = attempt(() => parsePage({ query } as unknown as Request));
      const limit = Object.hasOwn(query, 'limit') ? query.limit : undefined;
      const cursor = Object.hasOwn(query, 'cursor') ? query.cursor : undefined;
      const isLimit = typeof limit === 'string' && /^\d+$/.test(limit) && Number(limit) >= 1 && Number(limit) <= 1_000;
      const isCursor = typeof cursor === 'string' && cursor !== '';
      const fine = (limit === undefined || isLimit) && (cursor === undefined || isCursor);
      expect(status).toBe(fine ? undefined : 400);
      if (fine) expect(value).toEqual({ ...(isLimit && { limit: Number(limit) }), ...(isCursor && { cursor }) });
    }),
    { numRuns: 500 },
  );
});

test('a key is used unchanged, or is a 400', () => {
  const keys = fc.oneof(text, fc.string({ maxLength: 300 }), fc.stringMatching(/^[\x21-\x7e]{250,260}$/));
  fc.assert(
    fc.property(keys, (key) => {
      const { value, status } = attempt(() => idempotencyKey({ get: () => key } as unknown as Request));
      const isKey = key.length >= 1 && key.length <= 255 && !/[^!-~]/.test(key);
      expect({ value, status }).toEqual(isKey ? { value: key } : { status: 400 });
    }),
  );
});

test('a checkpoint is parsed unchanged, and its position is a safe integer', () => {
  const near = fc
    .tuple(fc.nat(), text, fc.stringMatching(/^[0-9a-f]{30,34}$/))
    .map(([position, between, sum]) => `${position}${between}-${sum}`);
  const good = fc.stringMatching(/^\d{1,15}-[0-9a-f]{32}$/);
  fc.assert(
    fc.property(fc.oneof(good, fc.stringMatching(/^\d{16,18}-[0-9a-f]{32}$/), near, anything), (input) => {
      const { success, data = '' } = checkpointText.safeParse(input);
      if (!success) return;
      expect(Number.isSafeInteger(positionOf(data)) && positionOf(data) >= 0).toBe(true);
      expect(data).toBe(input);
    }),
  );
  fc.assert(fc.property(good, (checkpoint) => expect(checkpointText.safeParse(checkpoint).success).toBe(true)));
});

test("a subscriber's answer is a checkpoint with an optional replay id, or not understood", () => {
  const answers = fc.record({ checkpoint: fc.oneof(fc.constant('0'), anything), replay: anything });
  fc.assert(
    fc.property(fc.oneof(answers, anything), (input) => {
      const { data } = progressSchema.safeParse(input);
      if (data) expect([typeof data.checkpoint, typeof (data.replay ?? '')]).toEqual(['string', 'string']);
    }),
  );
});

test('a Retry-After asks for a pause between nothing and the cap', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(200, 429, 503),
      fc.oneof(text, fc.double().map(String), fc.constant(undefined)),
      (status, header) => {
        const pause = retryAfter(status, header);
        expect(pause >= 0 && pause <= 10_000).toBe(true);
      },
    ),
  );
});
