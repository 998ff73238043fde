// A poison event does not block anything else.
import { once } from 'node:events';
import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { get, post, readModel, request, until } from '../lib/http.ts';
import { type System, startSystem } from '../lib/system.ts';
import { expected, shown, type Written, writePost } from '../lib/writers.ts';

let system: System;
const written: Written[] = [];

beforeAll(async () => {
  system = await startSystem('--production', '--without', 'client');
});
afterAll(() => system?.stop());

type Letter = { id: string; subscription: string; position: number; event: object };
const deadLetters = () => `${system.url('event-bus')}/dead-letters`;
const letters = async (): Promise<Letter[]> => (await get(deadLetters())).body;
const redeliver = ({ id }: Letter) => post(`${deadLetters()}/${id}/redeliver`);

test('a poison event is parked for the subscriber that cannot handle it, and all others are delivered', async () => {
  const poison = { type: 'CommentCreated', data: {} };
  const { status, body } = await post(`${system.url('event-bus')}/events`, poison);
  expect(status).toBe(201);
  written.push(await writePost(system, 'behind the poison'));
  await system.quiet();
  expect(shown(await readModel(system.url('query')))).toEqual(expected(written));

  const parked = await letters();
  expect(parked.map(({ subscription }) => subscription).sort()).toEqual(['comments', 'moderation', 'query']);
  for (const letter of parked) {
    expect(letter).toMatchObject({ position: body.position, reason: expect.stringContaining('422'), event: poison });
    expect((await redeliver(letter)).status).toBe(409);
  }
  expect(await letters()).toEqual(parked);
  for (const { id } of parked) {
    expect((await request(`${deadLetters()}/${id}`, { method: 'DELETE' })).status).toBe(204);
  }
  expect(await letters()).toEqual([]);

  written.push(await writePost(system, 'without the poison'));
  await system.quiet();
  expect(shown(await readModel(system.url('query')))).toEqual(expected(written));
});

test('a parked event, even after the bus was killed, can be redelivered once its subscriber is fixed', async () => {
  const attempts = new Map<string, number>();
  const got: string[] = [];
  let mended = false;
  const subscriber = createServer(async (req, res) => {
    if (req.method === 'GET') return res.writeHead(404).end();
    const { subject } = JSON.parse(await text(req));
    attempts.set(subject, (attempts.get(subject) ?? 0) + 1);
    if (subject === 'poison' && !mended) return res.writeHead(422).end();
    got.push(subject);
    res.writeHead(200).end();
  });
  await system.part('stop moderation');
  await once(subscriber.listen(system.ports.moderation, '127.0.0.1'), 'listening');
  try {
    await post(`${system.url('event-bus')}/subscriptions/moderation/resume`);
    for (const id of ['one', 'poison', 'two']) {
      await post(`${system.url('event-bus')}/events`, { type: 'NoteTaken', data: { id } });
    }
    await until('the rest goes on', () => got.includes('two'));
    expect(attempts.get('poison')).toBe(5);
    expect(got.slice(-2)).toEqual(['one', 'two']);

    await system.killPart('event-bus');
    const [letter, ...more] = await letters();
    expect(more).toEqual([]);
    expect(letter).toMatchObject({ subscription: 'moderation', event: { data: { id: 'poison' } } });
    mended = true;
    expect((await redeliver(letter as Letter)).status).toBe(200);
    expect(got.indexOf('poison')).toBe(got.length - 1);
    expect(await letters()).toEqual([]);
  } finally {
    subscriber.closeAllConnections();
    subscriber.close();
  }
});
