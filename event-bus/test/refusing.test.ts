// Publications that cannot be stored.

import { describe, expect, test } from '@jest/globals';
import { BATCH, cloudEvent, EVENT, ids, post, startBus, startPart, stored, until } from './bus.ts';
import { checkpointed } from './subscribers.ts';

describe('a publication that cannot be stored', () => {
  test.each([
    ['no type', {}, EVENT, 'type'],
    ['an empty id', cloudEvent(''), EVENT, 'id'],
    ['an id that is a number', cloudEvent('a', { id: 7 }), EVENT, 'id'],
    ['half of a surrogate pair in its id', cloudEvent('\ud800'), EVENT, 'id'],
    ['NUL in its type', cloudEvent('a', { type: 'a\0b' }), EVENT, 'type'],
    ['another specversion', cloudEvent('a', { specversion: '0.3' }), EVENT, 'specversion'],
    ['no source, as a CloudEvent', { specversion: '1.0', id: 'a', type: 'T' }, EVENT, 'source'],
    ['a time that is none', cloudEvent('a', { time: 'yesterday' }), EVENT, 'time'],
    ['data in both forms', cloudEvent('a', { data_base64: 'AAEC' }), EVENT, 'data_base64'],
    ['bytes that are not base64', cloudEvent('a', { data: undefined, data_base64: 'a' }), EVENT, 'data_base64'],
    ['an extension attribute with a name that is none', cloudEvent('a', { userId: 'x' }), EVENT, 'userId'],
    ['an extension attribute that is an object', cloudEvent('a', { user: {} }), EVENT, 'user'],
    ['an extension attribute that is no 32-bit integer', cloudEvent('a', { user: 2 ** 31 }), EVENT, 'user'],
    [
      'data nested too deep',
      `{"type":"T","data":${'['.repeat(99_000)}${']'.repeat(99_000)}}`,
      'application/json',
      'body',
    ],
    ['a list as one event', [cloudEvent('a')], EVENT, 'body'],
    ['one event as a batch', cloudEvent('a'), BATCH, 'body'],
    ['an empty batch', [], BATCH, 'body'],
    ['a batch whose second event has no id', [cloudEvent('a'), cloudEvent('b', { id: undefined })], BATCH, '1.id'],
    ['no body', '', EVENT, 'body'],
  ])('%s: 400 that names the field', async (_what, body, type, field) => {
    const bus = await startBus();
    const answer = await post(bus, body, type)
      .expect(400)
      .expect('content-type', /application\/problem\+json/);
    expect(answer.body.errors.map((error: { field: string }) => error.field)).toContain(field);
    expect(await stored(bus)).toEqual([]);
  });

  test.each([
    ['no JSON', '{"type":', EVENT, 400],
    ['another media type', 'type=T', 'application/x-www-form-urlencoded', 415],
    ['more than a MiB', cloudEvent('a', { data: 'x'.repeat(1024 * 1024) }), EVENT, 413],
    ['an event over 256 KiB', cloudEvent('a', { data: 'x'.repeat(256 * 1024) }), EVENT, 413],
    ['a batch over 512 KiB', ids('x', 4).map((id) => cloudEvent(id, { data: id.repeat(70_000) })), BATCH, 413],
    ['a batch of more than 1,000', ids('x', 1_001).map((id) => cloudEvent(id)), BATCH, 413],
  ])('%s: refused with its status, and nothing is stored', async (_what, body, type, status) => {
    const bus = await startBus();
    await post(bus, body, type)
      .expect(status)
      .expect('content-type', /application\/problem\+json/);
    expect(await stored(bus)).toEqual([]);
  });

  test('a page in a browser, of any origin, can neither publish nor control', async () => {
    const bus = await startBus({ subscriptions: { a: await startPart(checkpointed().answer) } });
    for (const origin of ['http://evil.example', 'http://localhost:3000', 'null']) {
      await post(bus, cloudEvent('a')).set('Origin', origin).expect(403);
      for (const command of ['pause', 'skip', 'replay']) {
        await bus.http.post(`/subscriptions/a/${command}`).set('Origin', origin).expect(403);
      }
      await bus.http.delete('/dead-letters/1').set('Origin', origin).expect(403);
      const asked = { Origin: origin, 'Access-Control-Request-Method': 'POST' };
      const { headers } = await bus.http.options('/events').set(asked);
      expect(headers).not.toHaveProperty('access-control-allow-origin');
    }
    expect(await stored(bus)).toEqual([]);
    await until(async () => expect(await bus.subscription('a')).toMatchObject({ state: 'live', replay: null }));
  });

  test('a form or plain text reaches no route, also one that needs no body', async () => {
    const bus = await startBus({ subscriptions: { a: await startPart(checkpointed().answer) } });
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x']) {
      await post(bus, JSON.stringify(cloudEvent('a')), type).expect(415);
      await bus.http.post('/subscriptions/a/pause').type(type).send('{"a":1}').expect(415);
      await bus.http.post('/dead-letters/1/redeliver').type(type).send('{"a":1}').expect(415);
    }
    expect(await stored(bus)).toEqual([]);
    await until(async () => expect(await bus.subscription('a')).toMatchObject({ state: 'live' }));
  });

  test('another method is 405 and names the allowed ones', async () => {
    const bus = await startBus();
    await bus.http.delete('/events').expect(405).expect('allow', 'GET, POST');
  });

  test('of 100 levels, the maximum depth, is stored', async () => {
    const bus = await startBus();
    const levels = (count: number) => `{"type":"T","data":${'['.repeat(count)}${']'.repeat(count)}}`;
    await post(bus, levels(99), 'application/json').expect(201);
    await post(bus, levels(100), 'application/json').expect(400);
    expect(await stored(bus)).toHaveLength(1);
  });

  test('members named like those of every object change no object', async () => {
    const bus = await startBus();
    const text = '{"type":"T","__proto__":{"polluted":1},"data":{"__proto__":{"polluted":1}}}';
    await post(bus, text, 'application/json').expect(201);
    expect(({} as { polluted?: number }).polluted).toBeUndefined();
    expect((await bus.http.get('/events')).text).toContain('"data":{"__proto__":{"polluted":1}}}');
  });
});

describe('a publisher that sends its last checkpoint', () => {
  test('is accepted if the log has that checkpoint', async () => {
    const bus = await startBus();
    const told = await bus.publish('a');
    await post(bus, cloudEvent('b')).set('event-published', told).expect(201);
  });

  test('sends a valid checkpoint, or is answered 400', async () => {
    const bus = await startBus();
    await post(bus, cloudEvent('a')).set('event-published', 'yesterday').expect(400);
  });

  test('is answered 412 when the log lost it: nothing is written, and its subscription is diverged until a replay', async () => {
    const posts = checkpointed();
    const bus = await startBus({ subscriptions: { posts: await startPart(posts.answer) } });
    await bus.publish('a');
    await until(() => expect(posts.applied).toEqual(['a']));

    const lost = `9-${'0'.repeat(32)}`;
    await post(bus, cloudEvent('b', { source: 'posts' }))
      .set('event-published', lost)
      .expect(412);
    expect(await stored(bus)).toHaveLength(1);
    expect(await bus.subscription('posts')).toMatchObject({
      state: 'diverged',
      lastError: expect.stringContaining(lost),
    });
    expect((await bus.http.get('/readyz').expect(200)).body.degraded).toEqual([
      expect.stringContaining('posts is diverged'),
    ]);

    await bus.control('posts', 'replay');
    await until(async () => expect(await bus.subscription('posts')).toMatchObject({ state: 'live', lastError: null }));
    expect(posts.applied).toEqual(['a', 'a']);
  });
});
