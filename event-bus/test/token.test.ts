// The token that the bus asks for and sends.

import { expect, test } from '@jest/globals';
import { cloudEvent, post, startBus, startPart, stored, until } from './bus.ts';
import { checkpointed, json, plain } from './subscribers.ts';

const TOKEN = 'a-token-of-this-test';
const BEARER = `Bearer ${TOKEN}`;

test('a publication without the token is 401, and nothing is stored; with it the event is stored', async () => {
  const bus = await startBus({ token: TOKEN });
  await post(bus, cloudEvent('a')).expect(401).expect('WWW-Authenticate', 'Bearer');
  await post(bus, cloudEvent('a')).set('Authorization', 'Bearer 0123456789abcdef').expect(401);
  await post(bus, 'no JSON').expect(401);
  expect(await stored(bus)).toEqual([]);
  await post(bus, cloudEvent('a')).set('Authorization', BEARER).expect(201);
  expect(await stored(bus)).toHaveLength(1);
});

test('a control request without the token is 401, and nothing changes; reading needs none', async () => {
  const a = checkpointed();
  const part = await startPart(a.answer);
  part.fail((_, res) => json(res, 500, {}));
  const bus = await startBus({ subscriptions: { a: part }, token: TOKEN });
  await post(bus, cloudEvent('e1')).set('Authorization', BEARER).expect(201);
  await until(async () => expect(await bus.subscription('a')).toMatchObject({ state: 'retrying' }));

  const refuse = async (path: string) => {
    await bus.http.post(path).expect(401).expect('WWW-Authenticate', 'Bearer');
  };
  for (const command of ['pause', 'resume', 'skip', 'replay']) await refuse(`/subscriptions/a/${command}`);
  expect(await bus.subscription('a')).toMatchObject({ state: 'retrying', position: 0, replay: null });
  expect((await bus.http.get('/dead-letters').expect(200)).body).toEqual([]);

  await bus.http.post('/subscriptions/a/skip').set('Authorization', BEARER).expect(200);
  const [{ id }] = (await bus.http.get('/dead-letters').expect(200)).body;
  await refuse(`/dead-letters/${id}/redeliver`);
  await bus.http.delete(`/dead-letters/${id}`).expect(401);
  expect((await bus.http.get('/dead-letters').expect(200)).body).toHaveLength(1);
  await bus.http.delete(`/dead-letters/${id}`).set('Authorization', BEARER).expect(204);
});

test('the bus sends the token to its subscribers, if one is set', async () => {
  const [a, b] = [checkpointed(), plain()];
  const subscriptions = { a: await startPart(a.answer), b: await startPart(b.answer) };
  const bus = await startBus({ subscriptions, token: TOKEN });
  await post(bus, cloudEvent('e1')).set('Authorization', BEARER).expect(201);
  await until(() => expect([a.applied, b.applied]).toEqual([['e1'], ['e1']]));
  const shown = Object.values(subscriptions).flatMap(({ pushes }) =>
    pushes.map(({ headers }) => headers.authorization),
  );
  expect(new Set(shown)).toEqual(new Set([BEARER]));
  await bus.stop();
  for (const part of Object.values(subscriptions)) part.pushes = [];

  const open = await startBus({ subscriptions, folder: bus.folder });
  await open.publish('e2');
  await until(() =>
    expect([a.applied, b.applied]).toEqual([
      ['e1', 'e2'],
      ['e1', 'e2'],
    ]),
  );
  for (const { pushes } of Object.values(subscriptions)) {
    for (const { headers } of pushes) expect(headers).not.toHaveProperty('authorization');
  }
});
