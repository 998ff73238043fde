// Requests that name unknown things or make no sense are answered with the field and its rule, and change nothing.
import type { ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { describe, expect, test } from '@jest/globals';
import type { Response } from 'supertest';
import { type Bus, startBus, startPart, stored, until } from './bus.ts';
import { checkpointed, json, type Part } from './subscribers.ts';

/** A bus with three events, the second of which is parked because its subscriber refuses it. */
async function parked() {
  const a = checkpointed();
  const refusing = { is: true, status: 500 }; // five of 422 would park it before the command
  const part = await startPart((push, res) =>
    refusing.is && push.events.some(({ id }) => id === 'bad') ? json(res, refusing.status, {}) : a.answer(push, res),
  );
  const bus = await startBus({ subscriptions: { a: part } });
  await bus.publish('e1', 'bad', 'e3');
  await until(async () => expect(await bus.subscription('a')).toMatchObject({ position: 1, state: 'retrying' }));
  refusing.status = 422;
  await bus.control('a', 'skip');
  await until(async () => expect(await bus.subscription('a')).toMatchObject({ position: 3, state: 'live' }));
  const { body: letters } = await bus.http.get('/dead-letters').expect(200);
  return { a, bus, part, refusing, id: letters[0].id as string };
}

/** The state that a request could have changed. */
const everything = async (bus: Bus, part: Part) => [
  (await bus.http.get('/subscriptions').expect(200)).body,
  (await bus.http.get('/dead-letters').expect(200)).body,
  await stored(bus),
  part.pushes.length,
];

const HUGE = '99999999999999999999';
const subscription = 'must be the name of a subscription';
const letter = 'must be the id of a dead letter';
const whole = 'must be a whole number';
const most = `must be at most ${Number.MAX_SAFE_INTEGER}`;
type Row = [line: string, body: unknown, status: number, field: string, rule: string];
const rows: Row[] = [
  ...['pause', 'resume', 'skip', 'replay'].flatMap((command) =>
    ['nobody', 'A', '__proto__', 'a%2F', '%20a'].map(
      (name): Row => [`POST /subscriptions/${name}/${command}`, undefined, 404, 'name', subscription],
    ),
  ),
  ...[
    [0, 'must be at least 1'],
    [-1, 'must be at least 1'],
    [1.5, whole],
    ['1', whole],
    [null, whole],
    [[1], whole],
    [true, whole],
    [1e300, whole],
    [5, 'must be at most 4'],
    [Number.MAX_SAFE_INTEGER, 'must be at most 4'],
  ].map(([from, rule]): Row => ['POST /subscriptions/a/replay', { from }, 400, 'from', `${rule}`]),
  ['POST /subscriptions/a/replay', [], 400, 'body', 'must be a JSON object'],
  ...['x', '1.5', '1e3', '0x1', '%201', '1%20', '١', 'NaN'].flatMap((id): Row[] => [
    [`POST /dead-letters/${encodeURI(decodeURI(id))}/redeliver`, undefined, 400, 'id', whole],
    [`DELETE /dead-letters/${encodeURI(decodeURI(id))}`, undefined, 400, 'id', whole],
  ]),
  ...['0', '-1', '-0'].map((id): Row => [`DELETE /dead-letters/${id}`, undefined, 400, 'id', 'must be at least 1']),
  [`DELETE /dead-letters/${HUGE}`, undefined, 400, 'id', most],
  ['POST /dead-letters/999/redeliver', undefined, 404, 'id', letter],
  ['DELETE /dead-letters/999', undefined, 404, 'id', letter],
  ['GET /dead-letters?limit=0', undefined, 400, 'limit', 'must be at least 1'],
  ['GET /dead-letters?limit=1001', undefined, 400, 'limit', 'must be at most 1000'],
  ...['x', '-1', '1.5', HUGE].map(
    (cursor): Row => [
      `GET /dead-letters?cursor=${cursor}`,
      undefined,
      400,
      'cursor',
      'must be the id of an item of this list',
    ],
  ),
  ...['after', 'before', 'limit'].flatMap((field): Row[] => [
    [`GET /events?${field}=-1`, undefined, 400, field, `must be at least ${field === 'after' ? 0 : 1}`],
    [`GET /events?${field}=1.5`, undefined, 400, field, whole],
    [`GET /events?${field}=1e3`, undefined, 400, field, whole],
    [`GET /events?${field}=`, undefined, 400, field, whole],
    [`GET /events?${field}=${HUGE}`, undefined, 400, field, most],
    [`GET /events?${field}=1&${field}=2`, undefined, 400, field, 'must be given once'],
  ]),
  ['GET /events?after=1&before=3', undefined, 400, 'before', 'cannot be given together with after'],
  ...['GET /events?type', 'GET /events?subject', 'GET /stream?after'].flatMap((line): Row[] => [
    [`${line}=`, undefined, 400, line.split('?')[1] ?? '', 'must not be empty'],
    [`${line}=a&${line.split('?')[1]}=b`, undefined, 400, line.split('?')[1] ?? '', 'must be given once'],
  ]),
  ...['x', '1.5', '1e3'].map((at): Row => [`GET /events/${at}/deliveries`, undefined, 400, 'position', whole]),
  ['GET /events/0/deliveries', undefined, 400, 'position', 'must be at least 1'],
];

test('a request that names an unknown thing or makes no sense is answered with the field and its rule, and changes nothing', async () => {
  const { bus, part } = await parked();
  const before = await everything(bus, part);
  for (const [line, body, status, field, rule] of rows) {
    const [method = '', path] = line.split(' ');
    const headers = body === undefined ? {} : { 'content-type': 'application/json' };
    const answer = await fetch(bus.url + path, {
      method,
      headers,
      body: body === undefined ? null : JSON.stringify(body),
    });
    const problem = await answer.json();
    expect([line, body, answer.status, answer.headers.get('content-type'), problem]).toEqual([
      line,
      body,
      status,
      'application/problem+json; charset=utf-8',
      expect.objectContaining({ status, detail: `${field} ${rule}`, errors: [{ field, detail: rule }] }),
    ]);
  }
  expect(await everything(bus, part)).toEqual(before);
});

test('a request with a malformed body changes nothing, even where no body is needed', async () => {
  const { bus, part, id } = await parked();
  const before = await everything(bus, part);
  const lines = [`DELETE /dead-letters/${id}`, `POST /dead-letters/${id}/redeliver`, 'POST /subscriptions/a/pause'];
  for (const line of lines) {
    const headers = 'Host: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked';
    const socket = connect(Number(new URL(bus.url).port), '127.0.0.1');
    socket.write(`${line} HTTP/1.1\r\n${headers}\r\n\r\nZ\r\n`);
    expect(await text(socket)).toMatch(/^HTTP\/1\.1 400 /);
  }
  expect(await everything(bus, part)).toEqual(before);
});

describe('a dead letter requested twice at the same time', () => {
  const answers = async (...asked: PromiseLike<Response>[]) =>
    (await Promise.all(asked)).map(({ status, body }) => [status, body.errors?.[0].field ?? '']).sort();

  test('is redelivered once', async () => {
    const { a, bus, refusing, id } = await parked();
    refusing.is = false;
    const redeliver = () => bus.http.post(`/dead-letters/${id}/redeliver`);
    expect(await answers(redeliver(), redeliver())).toEqual([
      [200, ''],
      [404, 'id'],
    ]);
    expect(a.applied).toEqual(['e1', 'e3', 'bad']);
  });

  test('is discarded once', async () => {
    const { bus, id } = await parked();
    const discard = () => bus.http.delete(`/dead-letters/${id}`);
    expect(await answers(discard(), discard())).toEqual([
      [204, ''],
      [404, 'id'],
    ]);
  });

  test.each([
    [200, 200],
    [422, 409],
  ])('is gone if it is discarded while its subscriber answers a redelivery with %i', async (answer, status) => {
    const { bus, part, id } = await parked();
    const arrived = Promise.withResolvers<ServerResponse>();
    part.fail((_push, res) => arrived.resolve(res), 1);
    const redelivered = bus.http.post(`/dead-letters/${id}/redeliver`).then(({ status }) => status);
    const res = await arrived.promise;
    await bus.http.delete(`/dead-letters/${id}`).expect(204);
    json(res, answer, {});
    expect(await redelivered).toBe(status);
    await bus.http.get('/dead-letters').expect(200, []);
    expect(await bus.subscription('a')).toMatchObject({ position: 3, lag: 0 });
  });
});

test('a dead letter of a subscription that is no longer configured can only be discarded', async () => {
  const { bus, id } = await parked();
  await bus.stop();
  const without = await startBus({ folder: bus.folder });
  await until(async () => expect(await without.subscription('a')).toMatchObject({ state: 'gone' }));
  const { body } = await without.http.post(`/dead-letters/${id}/redeliver`).expect(409);
  expect(body.detail).toBe('a is gone: discard the letter, or forget the subscription.');
  await without.http.delete(`/dead-letters/${id}`).expect(204);
});
