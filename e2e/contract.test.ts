// The messages of running parts conform to asyncapi.yaml and the openapi.yaml files.
import { EVENT_TYPES } from '@blog/common/core/events.ts';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Contract } from '../common/test/contract.ts';
import { eventErrors } from '../event-bus/test/asyncapi.ts';
import { post, until } from './lib/http.ts';
import { openStream } from './lib/stream.ts';
import { type System, startSystem } from './lib/system.ts';

let system: System;
beforeAll(async () => {
  system = await startSystem('--production', '--without', 'client');
});
afterAll(() => system?.stop());

test('every event in the log, and every message of both streams, is as documented', async () => {
  const [bus, query] = [await Contract.of('event-bus'), await Contract.of('query')];
  const log = await openStream(`${system.url('event-bus')}/stream`);
  const changes = await openStream(`${system.url('query')}/stream`);
  for (const title of ['One', 'Two']) {
    const { id } = (await post(`${system.url('posts')}/posts`, { title })).body;
    for (const content of ['a pear', 'an orange'])
      expect((await post(`${system.url('comments')}/posts/${id}/comments`, { content })).status).toBe(201);
  }
  await system.quiet();

  const events = await system.log();
  expect([...new Set(events.map(({ type }) => type))].sort()).toEqual(EVENT_TYPES.toSorted());
  expect(events.flatMap((event) => eventErrors(event, event.type) || [])).toEqual([]);

  await until('both streams', () => log.messages.length === events.length && changes.messages.length > 0);
  expect(log.messages.flatMap(({ data }) => bus.differences('Entry', data))).toEqual([]);
  expect(changes.messages.flatMap(({ data }) => query.differences('Change', data))).toEqual([]);
  await Promise.all([log.close(), changes.close()]);
});
