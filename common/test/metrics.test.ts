// The metrics that all parts have.

import { once } from 'node:events';
import { get, type IncomingMessage, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { enqueue } from '@blog/common/core/outbox.ts';
import { createHttpServer } from '@blog/common/http/limits.ts';
import { afterAll, afterEach, beforeEach, expect, test } from '@jest/globals';
import { startComments as start } from '../../comments/test/comments-service.ts';
import { startPosts } from '../../posts/test/posts-service.ts';
import { startQuery } from '../../query/test/query-service.ts';
import { at, FakeBus } from './fake-bus.ts';
import { Scrape } from './scrape.ts';
import { newFolder, removeFolders, type Service, until } from './service.ts';

let bus: FakeBus;
let service: Service;
const startComments = () => start({ busUrl: bus.url });
beforeEach(async () => {
  bus = await new FakeBus().open();
});
afterEach(async () => {
  await service.close();
  await bus.close();
});
afterAll(removeFolders);

const requests = async (labels: Record<string, string>) =>
  (await Scrape.of(service.url)).value('http_request_duration_seconds_count', labels);
const comment = () => service.http.post('/posts/p/comments').send({ content: 'Hello' });
const postCreated = (id: string) => ({ type: 'PostCreated', data: { id, title: 'A title' } });

test('a request is counted once, under the pattern of its route, its method and its status', async () => {
  service = await startComments();
  await service.history([postCreated('p')]);
  await comment().expect(201);
  await comment().expect(201);
  await service.http.post('/posts/p/comments').send({}).expect(400);
  await service.http.get('/posts/p/comments').expect(200);
  await service.http.get('/nowhere').expect(404);
  const route = '/posts/:id/comments';
  expect(await requests({ method: 'POST', route, status: '201' })).toBe(2);
  expect(await requests({ method: 'POST', route, status: '400' })).toBe(1);
  expect(await requests({ method: 'GET', route, status: '200' })).toBe(1);
  expect(await requests({ method: 'POST', route: '/events', status: '200' })).toBe(1);
  expect(await requests({ method: 'GET', route: 'none', status: '404' })).toBe(1);
});

test('a request refused by load shedding is counted', async () => {
  service = await startComments();
  const server = createHttpServer(service.app, { turn: -1, burst: 0 }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  expect((await fetch(`http://127.0.0.1:${port}/posts/p/comments`)).status).toBe(503);
  server.closeAllConnections();
  await once(server.close(), 'close');
  expect(await requests({ method: 'GET', route: 'none', status: '503' })).toBe(1);
});

test('a route of several addresses is counted under the one that was asked', async () => {
  service = await startPosts({ busUrl: bus.url });
  for (const path of ['/posts', '/posts', '/posts/create/'])
    await service.http.post(path).send({ title: 'x' }).expect(201);
  await service.http.delete('/readyz').expect(405);
  expect(await requests({ method: 'POST', route: '/posts' })).toBe(2);
  expect(await requests({ method: 'POST', route: '/posts/create' })).toBe(1);
  expect(await requests({ method: 'DELETE', route: '/readyz' })).toBe(1);
});

test('commits, applied events and published events are counted', async () => {
  // Nothing is published at first, so there is no commit for it.
  bus.mode = { status: 503 };
  service = await startComments();
  expect((await Scrape.of(service.url)).value('database_commit_duration_seconds_count')).toBe(0);
  await service.history([postCreated('p'), { type: 'Unknown', data: {} }]).expect(200);
  await service.push([postCreated('q')], { after: at(7), upto: at(8) }).expect(409);
  await service.push({ type: 'PostCreated', data: {} }).expect(422);
  await comment().expect(201);
  const metrics = await Scrape.of(service.url);
  expect(metrics.value('database_commit_duration_seconds_count')).toBe(3);
  expect(metrics.value('database_commit_works_sum')).toBe(3);
  expect(metrics.value('events_applied_total', { type: 'PostCreated' })).toBe(1);
  expect(metrics.value('events_applied_total', { type: 'CommentCreated' })).toBe(0);
  expect([metrics.value('outbox_events'), metrics.value('outbox_published_events_total')]).toEqual([1, 0]);
  bus.mode = 'ours';
  await until(async () => (await Scrape.of(service.url)).value('outbox_published_events_total') === 1);
  expect((await Scrape.of(service.url)).value('outbox_events')).toBe(0);
});

test('the outbox reports how many events wait, since when, and how many were refused', async () => {
  service = await startComments();
  const headers = { 'content-type': 'application/problem+json' };
  const refusal = { status: 422, headers, body: { status: 422 } };
  bus.mode = ({ body }) => (body?.data.content === 'Refused' ? refusal : { status: 503 });
  await service.history([postCreated('p')]);
  await service.http.post('/posts/p/comments').send({ content: 'Refused' }).expect(201);
  const anHourAgo = new Date(Date.now() - 3_600_000).toISOString();
  await service.db.write((tx) => enqueue(tx, { id: 'waits', type: 'Noted', time: anHourAgo, data: {} }));
  await comment().expect(201);
  await comment().expect(201);
  await until(async () => (await Scrape.of(service.url)).value('outbox_refused_events') === 1);
  const metrics = await Scrape.of(service.url);
  expect(metrics.value('outbox_events')).toBe(3);
  expect(Math.floor((metrics.value('outbox_oldest_seconds') ?? 0) / 60)).toBe(60);
  expect(metrics.value('part_degraded')).toBe(2);
});

test('a reader of the stream is counted while it reads, and not as a long request', async () => {
  service = await startQuery(newFolder());
  const readers = async () => (await Scrape.of(service.url)).value('stream_readers');
  expect(await readers()).toBe(0);
  const reader = get(`${service.url}/stream`).on('error', () => {});
  await (once(reader, 'response') as Promise<[IncomingMessage]>);
  expect(await readers()).toBe(1);
  reader.destroy();
  await until(async () => (await readers()) === 0);
  expect(await requests({ route: '/stream' })).toBeUndefined();
  await service.http.get('/stream?after=a&after=b').expect(400);
  expect(await requests({ route: '/stream' })).toBe(1);
});

test('a request whose client disconnected is counted as aborted', async () => {
  service = await startComments();
  const headers = { 'content-type': 'application/json', 'content-length': 100 };
  const sent = request(`${service.url}/posts/p/comments`, { method: 'POST', headers }).on('error', () => {});
  sent.write('{', () => sent.destroy());
  await until(async () => (await requests({ method: 'POST', route: '/posts/:id/comments', status: 'aborted' })) === 1);
});

test('the event loop lag is measured since the last scrape', async () => {
  service = await startComments();
  // The same resolution as the part's own measurement.
  const looks = monitorEventLoopDelay({ resolution: 50 });
  looks.enable();
  const moreLooks = async () => {
    const { count } = looks;
    await until(() => looks.count > count + 2);
  };
  const lag = async (name: string) =>
    (await Scrape.of(service.url)).value(`nodejs_eventloop_lag_${name}_seconds`) ?? Number.NaN;
  // Measured from the first scrape on: what was before it is not in there.
  for (const end = performance.now() + 300; performance.now() < end; );
  await moreLooks();
  expect((await lag('max')) > 0.25).toBe(false);
  await until(async () => {
    await moreLooks();
    return (await lag('max')) < 0.15;
  });
  await moreLooks();
  for (const end = performance.now() + 300; performance.now() < end; );
  await moreLooks();
  expect(await lag('max')).toBeGreaterThan(0.25);
  await until(async () => {
    await moreLooks();
    return (await lag('max')) < 0.15;
  });
  looks.disable();
});
