// One bad subscriber, or one bad event, does not keep anything else from going on.
import { createServer, type Server } from 'node:http';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { get, post, readModel, request, until } from './http.ts';
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

test('a poison event is parked where it cannot be handled, and everything else goes on', async () => {
  const deadLetters = `${system.url('event-bus')}/dead-letters`;
  type Letter = { id: string; subscription: string; event: object };
  const poison = { type: 'CommentCreated', data: {} };
  const { status, body } = await post(`${system.url('event-bus')}/events`, poison);
  expect(status).toBe(201);
  written.push(await writePost(system, 'behind the poison'));
  await system.quiet();
  expect(shown(await readModel(system.url('query')))).toEqual(expected(written));

  const letters: Letter[] = (await get(deadLetters)).body;
  const parkedFor = letters.map(({ subscription }) => subscription);
  expect(parkedFor.sort()).toEqual(['comments', 'moderation', 'query']);
  for (const letter of letters) {
    expect(letter).toMatchObject({ position: body.position, reason: expect.stringContaining('422'), event: poison });
    const again = await post(`${deadLetters}/${letter.id}/redeliver`);
    expect(again.status).toBe(409);
  }
  expect((await get(deadLetters)).body).toEqual(letters);
  for (const { id } of letters) {
    expect((await request(`${deadLetters}/${id}`, { method: 'DELETE' })).status).toBe(204);
  }
  expect((await get(deadLetters)).body).toEqual([]);

  written.push(await writePost(system, 'without the poison'));
  await system.quiet();
  expect(shown(await readModel(system.url('query')))).toEqual(expected(written));
});
