// Forged events, deliveries and replay orders, from outside and from inside.
import { createHash } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { SERVICES } from '../../common/src/run/parts.ts';
import { check, takeSnapshot } from '../lib/checker.ts';
import { get, post, request, until } from '../lib/http.ts';
import { type System, startSystem } from '../lib/system.ts';
import { writePost, writesOf } from '../lib/writers.ts';

const TOKEN = createHash('sha256').update(`${process.pid} ${performance.now()}`).digest('hex');
const BEARER = { authorization: `Bearer ${TOKEN}` };

let system: System;
const before = { BUS_TOKEN: process.env.BUS_TOKEN, LOG_LEVEL: process.env.LOG_LEVEL };
beforeAll(async () => {
  Object.assign(process.env, { BUS_TOKEN: TOKEN, LOG_LEVEL: 'trace' });
  system = await startSystem('--production');
});
afterAll(async () => {
  for (const [name, value] of Object.entries(before)) {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }
  await system?.stop();
});

const forged = { type: 'PostCreated', data: { id: 'forged', title: 'forged' } };
/** The state that a forgery could change. */
const state = async () => ({
  head: await system.head(),
  posts: (await get(`${system.url('posts')}/posts`)).body,
  shown: (await get(`${system.url('query')}/posts`)).body,
  progress: await Promise.all(SERVICES.map(async (name) => (await get(`${system.url(name)}/events`)).body)),
  subscriptions: (await system.subscriptions()).map(({ name, state, replay }) => ({ name, state, replay })),
});

test('with a token set the blog works, forged requests are refused, and no log line has the token', async () => {
  const writes = writesOf([await writePost(system, 'true', 3)]);
  await system.quiet();
  const untouched = await state();
  const bus = system.url('event-bus');
  const gateway = system.url('client');

  // From outside, with any headers: 404.
  for (const path of ['/events', '/posts/x/events', '/api/system/events']) {
    expect((await post(gateway + path, forged, BEARER)).status).toBe(404);
  }
  for (const path of ['/subscriptions/query/replay', '/subscriptions/query/pause', '/dead-letters/1/redeliver']) {
    expect((await post(gateway + path, undefined, BEARER)).status).toBe(404);
    expect((await post(`${gateway}/api/system${path}`, undefined, BEARER)).status).toBe(404);
  }
  // From inside, without the token or with a wrong one.
  for (const headers of [undefined, { authorization: `Bearer ${'0'.repeat(64)}` }]) {
    for (const url of [bus, ...SERVICES.map(system.url)]) {
      const { status, headers: answered } = await post(`${url}/events`, forged, headers);
      expect([url, status, answered.get('www-authenticate')]).toEqual([url, 401, 'Bearer']);
    }
    for (const command of ['pause', 'resume', 'skip', 'replay']) {
      expect((await post(`${bus}/subscriptions/query/${command}`, undefined, headers)).status).toBe(401);
    }
    expect((await request(`${bus}/dead-letters/1`, { method: 'DELETE', headers })).status).toBe(401);
  }
  // From a page in a browser, even with the token.
  for (const origin of ['http://evil.example', 'null', gateway]) {
    expect((await post(`${bus}/subscriptions/query/pause`, undefined, { ...BEARER, origin })).status).toBe(403);
    expect((await post(`${bus}/events`, forged, { ...BEARER, origin })).status).toBe(403);
  }
  const foreign = { origin: 'http://evil.example' };
  expect((await post(`${gateway}/posts`, { title: 'forged' }, foreign)).status).toBe(403);
  expect((await post(`${system.url('posts')}/posts`, { title: 'forged' }, foreign)).status).toBe(403);
  expect(await state()).toEqual(untouched);

  // A request with the token is genuine.
  expect((await post(`${bus}/subscriptions/query/replay`, undefined, BEARER)).status).toBe(200);
  await system.quiet();
  const own = await post(`${bus}/events`, { type: 'Noted', data: {} }, BEARER);
  expect(own.status).toBe(201);

  // While the bus is down every service fails to reach it, and reports that.
  await system.part('stop event-bus');
  writes.push(...writesOf([await writePost(system, 'without the bus', 0)]));
  await until('it is said', () => system.output().includes('cannot publish for now'));
  await system.startPart('event-bus');
  await system.quiet();
  expect(system.output()).not.toContain(TOKEN);
  expect(check(writes, await takeSnapshot(system))).toEqual([]);
});
