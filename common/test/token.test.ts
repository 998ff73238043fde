// The token for requests between parts.

import { once } from 'node:events';
import { connect } from 'node:net';
import type { KnownEvent } from '@blog/common/core/events.ts';
import { enqueue, outboxSchema } from '@blog/common/core/outbox.ts';
import { checkpointSchema, readinessSchema } from '@blog/common/core/progress.ts';
import { Relay } from '@blog/common/core/relay.ts';
import type { Tx } from '@blog/common/core/sqlite.ts';
import { Subscriber } from '@blog/common/core/subscriber.ts';
import { createApp, eventRoutes } from '@blog/common/http/app.ts';
import { afterAll, afterEach, beforeEach, expect, test } from '@jest/globals';
import { at, FakeBus } from './fake-bus.ts';
import { frameOf, newFolder, removeFolders, Service, until } from './service.ts';

const TOKEN = 'a-token-of-this-test';
const BEARER = `Bearer ${TOKEN}`;

const handle = (tx: Tx, { data }: KnownEvent) => void tx.run('INSERT INTO handled VALUES (?)', data.id);
const migrations = [`CREATE TABLE handled (id TEXT) STRICT; ${checkpointSchema} ${readinessSchema} ${outboxSchema}`];

let bus: FakeBus;
let service: Service;
const start = async (token: string | undefined) => {
  const create: ConstructorParameters<typeof Service>[0]['create'] = ({ db, bus: { url } }) => {
    const frame = frameOf(db);
    const subscriber = new Subscriber({ ...frame, bus: { url, token }, handlers: { PostCreated: handle } });
    const loops = [subscriber, new Relay({ ...frame, bus: { url, token } })];
    return { app: createApp({ ...frame, routes: [eventRoutes(subscriber, token)], checks: loops }), loops };
  };
  service = await new Service({ migrations, create }, bus.url, newFolder()).open();
};
beforeEach(async () => {
  bus = await new FakeBus().open();
});
afterEach(async () => {
  await service.close();
  await bus.close();
});
afterAll(removeFolders);

const push = (authorization?: string) => {
  const sent = service.push([{ type: 'PostCreated', data: { id: 'p' } }], { after: at(0), upto: at(1) });
  return authorization === undefined ? sent : sent.set('Authorization', authorization);
};
const handled = () => service.rows('SELECT id FROM handled');

test.each([
  undefined,
  '',
  'Bearer',
  `Bearer ${TOKEN}x`,
  `Bearer ${TOKEN.slice(1)}`,
  `Bearer ${TOKEN.toUpperCase()}`,
  `Bearer ${TOKEN} ${TOKEN}`,
  `Basic ${TOKEN}`,
  TOKEN,
])('with a token set, a delivery with the authorization %j is 401, and changes nothing', async (authorization) => {
  await start(TOKEN);
  const answer = await push(authorization).expect(401).expect('WWW-Authenticate', 'Bearer');
  expect(answer.headers['content-type']).toMatch('application/problem+json');
  expect(await handled()).toEqual([]);
  expect((await service.http.get('/events').expect(200)).body.checkpoint).toBe('0');
});

test.each([BEARER, `bearer  ${TOKEN}`])('a delivery with the token (%j) is accepted', async (authorization) => {
  await start(TOKEN);
  await push(authorization).expect(200);
  expect(await handled()).toEqual([{ id: 'p' }]);
});

test('without a token set none is required', async () => {
  await start(undefined);
  await push().expect(200);
  await push(BEARER).expect(409);
  expect(await handled()).toEqual([{ id: 'p' }]);
});

test('a caller without the token is refused before it has sent its body', async () => {
  await start(TOKEN);
  const socket = connect(Number(new URL(service.url).port), '127.0.0.1').setEncoding('utf8');
  const head = [
    'POST /events HTTP/1.1',
    'Host: localhost',
    'Content-Type: application/json',
    'Content-Length: 1000000',
  ];
  socket.write(`${head.join('\r\n')}\r\n\r\n{`);
  const [answer] = await once(socket, 'data');
  expect(answer).toMatch(/^HTTP\/1.1 401 /);
  socket.destroy();
});

test('publications carry the token, if one is set', async () => {
  await start(TOKEN);
  await service.db.write((tx) => enqueue(tx, { id: 'a', source: 'test' }));
  await until(() => bus.log.length === 1);
  expect(bus.publications.map(({ headers }) => headers.authorization)).toEqual([BEARER]);
  await service.close();
  await start(undefined);
  await service.db.write((tx) => enqueue(tx, { id: 'b', source: 'test' }));
  await until(() => bus.log.length === 2);
  expect(bus.publications.at(-1)?.headers).not.toHaveProperty('authorization');
});

test('a bus with another token is reported, and the event waits', async () => {
  bus.mode = { status: 401, headers: { 'content-type': 'application/problem+json' }, body: { status: 401 } };
  await start(TOKEN);
  await service.db.write((tx) => enqueue(tx, { id: 'a', source: 'test' }));
  await until(async () => (await service.degraded()).includes('Publishing waits: the bus answered 401.'));
  bus.mode = 'ours';
  await until(() => bus.log.length === 1);
});
