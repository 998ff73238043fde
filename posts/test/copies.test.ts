// Two copies of posts on one bus: the same key at both is one post, and the log's word stands.

import { Acknowledgements } from '@blog/common/core/acknowledgements.ts';
import { afterAll, afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { FakeBus, type Json } from '../../common/test/fake-bus.ts';
import { defined, NO_BUS, newFolder, removeFolders, Service, stays, until } from '../../common/test/service.ts';
import { eventBus } from '../../event-bus/src/app.ts';
import { startPosts } from './posts-service.ts';

const UUID_V8 = /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12}$/;

let busFolder: string;
let bus: Service | undefined;
let copies: Service[];
let env: Record<string, string>;
/** The bus, on which the copies are not subscribed: the tests push what they are to know. */
const startBus = async () => {
  bus = await new Service(
    defined(eventBus, { SUBSCRIPTIONS: 'nobody=http://127.0.0.1:9/events' }),
    '',
    busFolder,
  ).open();
  return bus.url;
};
const start = (busUrl: string, name: string, more = {}) =>
  startPosts({ busUrl, env: { COPY_NAME: name, ...env, ...more } });

beforeEach(() => {
  busFolder = newFolder();
  env = {};
  copies = [];
});
afterEach(async () => {
  for (const copy of copies) await copy.close();
  await bus?.close();
  bus = undefined;
});
afterAll(removeFolders);

const send = (copy: Service | undefined, title: string, key = 'key') =>
  (copy as Service).http.post('/posts').set('Idempotency-Key', key).send({ title });
const list = async (copy: Service) => Object.values<Json>((await copy.http.get('/posts').expect(200)).body);
const log = async (): Promise<Json[]> => (await (bus as Service).http.get('/events').expect(200)).body;
const isEmpty = async (copy: Service) => {
  await copy.db.write(() => {});
  return (await copy.rows('SELECT 1 FROM outbox')).length === 0;
};

test('the same key makes the same post, with the same id, at any copy', async () => {
  const url = await startBus();
  copies = [await start(url, 'posts-0'), await start(url, 'posts-1')];
  const answers = [await send(copies[0], 'a').expect(201), await send(copies[1], 'a').expect(201)];
  const [first, second] = answers.map(({ body }) => body);
  expect(first.id).toMatch(UUID_V8);
  expect(second.id).toBe(first.id);
  await until(async () => (await isEmpty(copies[0] as Service)) && (await isEmpty(copies[1] as Service)));
  expect((await log()).map(({ data }) => data)).toEqual([first]);
  // The second copy was told 409, and has taken over what the log says.
  for (const copy of copies) expect(await list(copy)).toEqual([{ ...first, seq: 1 }]);
});

test('with other bodies at two copies the log keeps the first, and the other one takes it over', async () => {
  const url = await startBus();
  copies = [await start(url, 'posts-0')];
  const { body: first } = await send(copies[0], 'first').expect(201);
  await until(async () => (await log()).length === 1);
  copies.push(await start(url, 'posts-1'));
  await send(copies[1], 'second').expect(201);
  await until(() => isEmpty(copies[1] as Service));
  expect(await list(copies[1] as Service)).toEqual([{ ...first, seq: 1 }]);
  await send(copies[1], 'second').expect(422);
  expect((await send(copies[1], 'first').expect(201)).body).toEqual(first);
  expect(await log()).toHaveLength(1);
  // A replay publishes again what the log has.
  const [{ event } = { event: '' }] = await (copies[1] as Service).rows<{ event: string }>('SELECT event FROM posts');
  expect(JSON.parse(event).data).toEqual(first);
});

test('its own event in the log replaces what is stored; the event of another source does not', async () => {
  copies = [await start(NO_BUS, 'posts-0')];
  const [copy] = copies as [Service];
  const { body: mine } = await send(copy, 'mine').expect(201);
  const event = (data: object, time: string) => ({
    ...{ specversion: '1.0', id: `${mine.id}/PostCreated`, source: 'posts', type: 'PostCreated', subject: mine.id },
    ...{ time, data: { id: mine.id, ...data } },
  });
  const createdAt = '2026-01-01T00:00:00.000Z';
  await copy.push({ ...event({ title: 'theirs', createdAt }, createdAt), source: 'classic' }).expect(200);
  expect(await list(copy)).toEqual([{ ...mine, seq: 1 }]);
  const told = event({ title: 'of the log', createdAt }, createdAt);
  await copy.push(told).expect(200);
  expect(await list(copy)).toEqual([{ id: mine.id, title: 'of the log', createdAt, seq: 1 }]);
  // A field that is missing blanks nothing.
  await copy.push(event({}, createdAt)).expect(200);
  expect(await list(copy)).toEqual([{ id: mine.id, title: 'of the log', createdAt, seq: 1 }]);
  const [row] = await copy.rows<{ event: string }>('SELECT event FROM posts');
  expect(JSON.parse(row?.event ?? '')).toEqual(told);
});

test('a key of a post from before ids came from keys still answers with that post', async () => {
  const url = await startBus();
  copies = [await start(url, 'posts')];
  const [copy] = copies as [Service];
  const sql =
    "INSERT INTO posts (id, title, createdAt, idempotencyKey, event) VALUES ('old', 'a', 'then', 'key', '{}')";
  await copy.db.write((tx) => tx.run(sql));
  expect((await send(copy, 'a').expect(201)).body).toEqual({ id: 'old', title: 'a', createdAt: 'then' });
  await send(copy, 'b').expect(422);
  expect(await list(copy)).toHaveLength(1);
});

describe('with ANSWER_AFTER=log', () => {
  let fake: FakeBus;
  beforeEach(async () => {
    env = { ANSWER_AFTER: 'log' };
    fake = await new FakeBus().open();
  });
  afterEach(() => fake.close());

  /** Sends, and notes the answer once it is there. */
  const sending = (copy: Service | undefined, title: string, key?: string) => {
    const sent: { answer?: Json; done: Promise<Json> } = {
      done: send(copy, title, key).then((a) => (sent.answer = a)),
    };
    return sent;
  };

  test('two copies with the same key at once: the same answer for the same title, else 201 for one and 422 for the other', async () => {
    const url = await startBus();
    copies = [await start(url, 'posts-0'), await start(url, 'posts-1')];
    for (let i = 0; i < 10; i += 1) {
      const same = await Promise.all(copies.map((copy) => send(copy, 'same', `same-${i}`).expect(201)));
      expect(same[0]?.body).toEqual(same[1]?.body);
      const other = await Promise.all(copies.map((copy, j) => send(copy, `other ${j}`, `other-${i}`)));
      expect(other.map(({ status }) => status).sort()).toEqual([201, 422]);
      const entry = (await log()).at(-1);
      expect(other.find(({ status }) => status === 201)?.body).toEqual(entry.data);
    }
    expect(await log()).toHaveLength(20);
    for (const copy of copies) {
      const titles = (await list(copy)).map(({ id, title, createdAt }) => ({ id, title, createdAt }));
      expect(titles).toEqual(expect.arrayContaining((await log()).map(({ data }) => data)));
      expect(titles).toHaveLength(20);
    }
  });

  test('201 comes once the bus has the event; a repeated request waits as well', async () => {
    fake.mode = { status: 503 };
    copies = [await start(fake.url, 'posts-0')];
    const first = sending(copies[0], 'a');
    await until(() => fake.publications.length > 0);
    const again = sending(copies[0], 'a');
    expect(await stays(() => !first.answer && !again.answer, 300)).toBe(true);
    fake.mode = 'ours';
    const answers = [await first.done, await again.done];
    expect(answers.map(({ status }) => status)).toEqual([201, 201]);
    expect(fake.log.map(({ data }) => data)).toEqual([answers[0].body]);
    expect(answers[1].body).toEqual(answers[0].body);
  });

  test('after 5 s it is a 503, safe to repeat, also after a restart', async () => {
    fake.mode = { status: 503 };
    const folder = newFolder();
    copies = [await startPosts({ busUrl: fake.url, folder, env })];
    const began = performance.now();
    const { headers, body } = await send(copies[0], 'a').expect(503);
    expect(performance.now() - began).toBeGreaterThanOrEqual(4_900);
    expect([headers['retry-after'], body.detail]).toEqual(['1', expect.stringContaining('not in the log yet')]);
    fake.mode = 'ours';
    // Again if the relay's pause, which has grown, is longer than a caller waits.
    let post: Json;
    await until(async () => {
      const { status, body } = await send(copies[0], 'a');
      post = body;
      return status === 201;
    });
    await copies[0]?.close();
    fake.mode = { status: 503 };
    copies = [await startPosts({ busUrl: fake.url, folder, env })];
    expect((await send(copies[0], 'a').expect(201)).body).toEqual(post);
    expect(fake.log).toHaveLength(1);
  });

  test('what the bus refuses is a 503, the first time and repeated', async () => {
    const headers = { 'content-type': 'application/problem+json' };
    fake.mode = ({ body }) => (body ? { status: 422, headers, body: { status: 422 } } : 'ours');
    copies = [await start(fake.url, 'posts-0')];
    for (let i = 0; i < 2; i += 1) expect((await send(copies[0], 'a').expect(503)).body.detail).toContain('refuses');
  });

  test('a service that stops answers callers that wait', async () => {
    const acknowledgements = new Acknowledgements();
    const waiting = acknowledgements.of(1).catch(({ status }: { status: number }) => status);
    const began = performance.now();
    acknowledgements.end();
    expect(await waiting).toBe(503);
    expect(performance.now() - began).toBeLessThan(4_900);
  });
});
