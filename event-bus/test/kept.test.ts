// Accepted events come out as they went in: no member is dropped, rounded or renamed.
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { unit } from '../../common/test/requests.ts';
import { BATCH, cloudEvent, EVENT, post, startBus, startPart, stored, until } from './bus.ts';
import { checkpointed, plain } from './subscribers.ts';

const PLAIN = 'application/json';
type Members = Record<string, unknown>;

const text = fc.string({ unit: fc.oneof(unit, fc.constantFrom('\0', '\ud83c', '\udf4a')), maxLength: 12 });
const name = fc.string({ unit: unit.filter((unit) => unit !== '\0'), minLength: 1, maxLength: 12 });
const bytes = fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes).toString('base64'));
const json = fc.oneof(
  fc.jsonValue(),
  fc.record({ id: fc.oneof(name, fc.integer()), n: fc.double({ noNaN: true, noDefaultInfinity: true }) }),
  fc.constantFrom(JSON.parse('{"__proto__":{"polluted":1}}'), [
    Number.MAX_SAFE_INTEGER,
    5e-324,
    1.7976931348623157e308,
  ]),
);
const optional = { subject: name, time: fc.constant('2026-01-02T03:04:05.060708+09:30') };
const content = {
  datacontenttype: fc.constantFrom('text/plain', 'application/json'),
  dataschema: fc.webUrl(),
  traceparent: text,
};
const extensions = fc.dictionary(
  fc.stringMatching(/^x[a-z0-9]{0,20}$/),
  fc.oneof(text, fc.boolean(), fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })),
);
/** Additional members of a classic event: any JSON, under any name that is not an attribute. */
const members = fc.dictionary(fc.oneof(fc.constantFrom('__proto__', 'toString', 'userId'), text), json, { maxKeys: 3 });
const isFree = (name: string) => !/^(specversion|id|source|type|subject|time|data.*|traceparent|position)$/.test(name);

const payload = fc.oneof(
  fc.constant({}),
  json.map((data) => ({ data })),
  bytes.map((data_base64) => ({ data_base64 })),
);

/** An event and the media type to publish it with; the test sets its id and type. */
const publication = fc
  .record({
    form: fc.oneof(fc.tuple(fc.constantFrom(EVENT, BATCH), extensions), fc.tuple(fc.constant(PLAIN), members)),
    attributes: fc.record({ ...optional, ...content }, { requiredKeys: [] }),
    payload,
    nulls: fc.subarray([...Object.keys(optional), ...Object.keys(content), 'data_base64', 'comexample']),
  })
  .map(({ form: [type, more], attributes, payload, nulls }): { type: string; event: Members } => {
    const free = Object.entries(more).filter(([name]) => isFree(name));
    const absent = nulls.map((name) => [name, null]);
    return { type, event: Object.fromEntries([...absent, ...free, ...Object.entries({ ...attributes, ...payload })]) };
  });

/** The event itself, without the attributes that the bus adds. */
function told(shown: Members, given: Members): Members {
  const { position: _, recordedtime, specversion, time, source, subject, ...rest } = shown;
  expect([typeof recordedtime, specversion]).toEqual(['string', '1.0']);
  const kept = { specversion, time, source, subject };
  return { ...rest, ...Object.fromEntries(Object.entries(kept).filter(([name]) => given[name] != null)) };
}

test('any event that is accepted comes out as it went in: when the log is read, by the stream, and in a push', async () => {
  const [keeping, classic] = [await startPart(checkpointed().answer), await startPart(plain().answer)];
  const bus = await startBus({ subscriptions: { keeping, classic } });
  const stream = await fetch(`${bus.url}/stream`);
  const given: Members[] = [];
  const property = fc.asyncProperty(publication, async ({ type, event }) => {
    const envelope = type === PLAIN ? {} : { specversion: '1.0', source: 'test' };
    const whole = { ...envelope, id: `e${given.length + 1}`, type: 'Tested', ...event };
    await post(bus, type === BATCH ? [whole] : whole, type).expect(201);
    given.push(JSON.parse(JSON.stringify(whole)));
  });
  await fc.assert(property, { numRuns: 150, endOnFailure: true });

  const isThere = ([name, value]: [string, unknown]) => value !== null || name === 'data';
  const expected = given.map((event) => Object.fromEntries(Object.entries(event).filter(isThere)));
  const shown = (events: unknown[]) => events.map((event, i) => told(event as Members, given[i] ?? {}));
  const pushed = (part: typeof keeping) => part.pushes.flatMap(({ events }) => events);
  await until(() => expect([pushed(keeping).length, pushed(classic).length]).toEqual([given.length, given.length]));
  expect(shown(await stored(bus))).toEqual(expected);
  expect(shown(pushed(keeping))).toEqual(expected);
  expect(shown(pushed(classic))).toEqual(expected);

  let streamed = '';
  const messages = () => [...streamed.matchAll(/^data: ([^\n]*)\n\n/gm)];
  for await (const chunk of stream.body ?? []) {
    streamed += Buffer.from(chunk).toString();
    if (messages().length === given.length) break;
  }
  expect(shown(messages().map(([, data = '']) => JSON.parse(data)))).toEqual(expected);
});

test('the same id with other bytes is another event, with the same bytes it is the same', async () => {
  const bus = await startBus();
  const event = (data_base64: string) => cloudEvent('a', { data: undefined, data_base64 });
  await post(bus, event('AAEC')).expect(201);
  expect((await post(bus, event('AAEC')).expect(201)).body.position).toBe(1);
  await post(bus, event('AAED')).expect(409);
  await post(bus, cloudEvent('a', { data: null })).expect(409);
});

const number = 'must be a number that a double holds exactly: send it as a string';
test.each([
  ['a number that is no double', '{"id":"x","n":1e400}', 'data.n', number],
  [
    'a number that is none of the integers a double holds',
    '{"list":[1,{"n":9007199254740993}]}',
    'data.list.n',
    number,
  ],
  ['a number too near to zero', '[1e-400]', 'data', number],
  ['-0, which JavaScript writes as 0', '-0', 'data', number],
  ['more digits than a double has', '0.12345678901234567890', 'data', number],
  ['a member that is there twice', '{"id":"x","n":1,"\\u006e":2}', 'data.n', 'must be there only once'],
])('%s is refused, with its field', async (_what, data, field, detail) => {
  const bus = await startBus();
  const answer = await post(bus, `{"type":"T","data":${data}}`, PLAIN).expect(400);
  expect(answer.body.errors).toEqual([{ field, detail }]);
  expect(await stored(bus)).toEqual([]);
});

test('a number in any notation is accepted, if a double represents it', async () => {
  const bus = await startBus();
  const written = '[1.0, 1E2, 100e-2, 0.10, -0.5, 0.10000000000000001, 9007199254740992, 1e21, 5e-324, 0e9]';
  await post(bus, `{"type":"T", "data": ${written}}`, PLAIN).expect(201);
  expect((await stored(bus))[0].data).toEqual(JSON.parse(written));
});
