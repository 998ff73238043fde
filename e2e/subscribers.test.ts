// One bad subscriber does not keep anything else from going on.
import { createServer, type Server } from 'node:http';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { readModel, until } from './http.ts';
import { type System, startSystem } from './system.ts';
import { expected, shown, type Written, writePost } from './writers.ts';

let system: System;
const written: Written[] = [];

beforeAll(async () => {
  system = await startSystem('--production', '--without', 'client');
});
afterAll(() => system?.stop());

/** A subscriber in any language that takes every event and never answers. */
function listenAndHang(port: number): Promise<Server> {
  return new Promise((resolve) => {
    const server = createServer((req, res) => {
      if (req.method === 'GET') res.writeHead(404).end();
    });
    server.listen(port, '127.0.0.1', () => resolve(server));
  });
}

test('a subscriber that hangs does not delay the others, and what it missed waits for its successor', async () => {
  await system.part('stop moderation');
  const hanging = await listenAndHang(system.ports.moderation as number);
  try {
    for (let n = 0; n < 3; n++) written.push(await writePost(system, `post ${n}`));
    const lags = async () => new Map((await system.subscriptions()).map(({ name, lag }) => [name, lag]));
    await until('no lag of the others', async () => {
      const lag = await lags();
      return lag.get('moderation') === 15 && ['posts', 'comments', 'query'].every((name) => lag.get(name) === 0);
    });
    const statuses = (await readModel(system.url('query'))).flatMap(({ comments }) => comments.map((c) => c.status));
    expect(statuses).toEqual(Array(12).fill('pending'));
  } finally {
    hanging.closeAllConnections();
    await new Promise((resolve) => hanging.close(resolve));
  }
  await system.startPart('moderation');
  await system.quiet();
  expect(shown(await readModel(system.url('query')))).toEqual(expected(written));
});
