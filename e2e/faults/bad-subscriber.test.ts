// A subscriber that is down, hangs, or answers nonsense is retried for ever, and affects no other one.
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { check, takeSnapshot } from '../lib/checker.ts';
import { watchMemory } from '../lib/footprint.ts';
import { get, post, until } from '../lib/http.ts';
import { type System, startSystem } from '../lib/system.ts';
import { type Written, writePost, writesOf } from '../lib/writers.ts';

const LONG = process.env.LONG !== undefined;
/** The bus's deadline for an answer, and the minimum duration of each fault, in milliseconds. */
const DEADLINE = 5_000;
const LASTS = LONG ? 10_000 : 0;
/** The maximum memory of the bus's process, in KiB; minutes of writing take some, whatever the subscribers do. */
const MEMORY = (LONG ? 400 : 200) * 1024;

type Answer = (req: IncomingMessage, res: ServerResponse) => void;

let system: System;
/** Moderation's answer to `GET /events` when it was stopped, which the bad subscriber in its place repeats. */
let progress: object;
let behave: Answer = (_, res) => res.destroy();
let redirected = 0;
let mostMemory = () => 0;
const written: Written[] = [];

const bad = createServer((req, res) => behave(req, res));
/** The target of redirects, which must never be called. */
const elsewhere = createServer((_, res) => {
  redirected += 1;
  res.end();
});

beforeAll(async () => {
  process.env.DELIVERY_TIMEOUT_MS = String(DEADLINE);
  system = await startSystem('--production', '--without', 'client');
  written.push(await writePost(system, 'before', 2));
  await system.quiet();
  await system.part('stop moderation');
  progress = { checkpoint: await system.head(), replay: null };
  mostMemory = watchMemory((await system.pids()).get('event-bus') as number);
  await once(elsewhere.listen(0, '127.0.0.1'), 'listening');
});
afterAll(async () => {
  for (const server of [bad, elsewhere]) {
    server.closeAllConnections();
    server.close();
  }
  await system?.stop();
});

/** Answers `GET /events` properly, and fails only when it is pushed to. */
const whenPushedTo =
  (answer: Answer): Answer =>
  (req, res) => {
    if (req.method === 'POST') return answer(req, res);
    res.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(progress));
  };
const answers = (status: number, headers = {}, body = ''): Answer =>
  whenPushedTo((_, res) => res.writeHead(status, headers).end(body));

const hangs: Answer = () => {};
const resets: Answer = (_, res) => res.destroy();
const dribbles: Answer = (_, res) => {
  res.writeHead(200, { 'content-type': 'application/json' });
  const drops = setInterval(() => res.write(' '), 50);
  res.on('close', () => clearInterval(drops));
};
const floods = whenPushedTo((_, res) => res.writeHead(200).end(Buffer.alloc(10 * 1024 * 1024, ' ')));
const redirects: Answer = (req, res) =>
  answers(301, { location: `http://127.0.0.1:${(elsewhere.address() as { port: number }).port}/` })(req, res);

const moderation = async () => (await system.subscriptions()).find(({ name }) => name === 'moderation');

/** Replaces moderation by a bad subscriber; the bus tries it at once. */
async function misbehave(how: Answer): Promise<void> {
  if (!bad.listening) await once(bad.listen(system.ports.moderation, '127.0.0.1'), 'listening');
  behave = how;
  bad.closeAllConnections();
  await post(`${system.url('event-bus')}/subscriptions/moderation/resume`);
}

/**
 * Writes while one subscriber is bad: the others get all events before the bus's deadline passes, and the bad one's
 * wait for the next attempt.
 */
async function expectOnlyItselfHarmed(what: string, error: string): Promise<void> {
  const begin = performance.now();
  do written.push(await writePost(system, `${what} ${written.length}`, 2));
  while (performance.now() - begin < LASTS);
  const waiting = (written.length - 1) * 3;
  await until(
    'the others have it all',
    async () => {
      const others = (await system.subscriptions()).filter(({ name }) => name !== 'moderation');
      return (await moderation())?.lag === waiting && others.every(({ state, lag }) => state === 'live' && lag === 0);
    },
    DEADLINE - 500,
  );
  await until('its error is reported', async () => (await moderation())?.lastError?.includes(error));
  expect(await moderation()).toMatchObject({ state: 'retrying', lag: waiting, nextAttempt: expect.any(String) });
  expect((await get(`${system.url('event-bus')}/dead-letters`)).body).toEqual([]);
}

test('a subscriber that is down does not delay others', async () => {
  await expectOnlyItselfHarmed('away', 'connection refused');
});

test.each<[what: string, error: string, Answer]>([
  ['hangs', 'no answer in time', hangs],
  ['resets every connection', 'connection reset', resets],
  ['dribbles its answer', 'no answer in time', dribbles],
  ['answers 500', 'answered 500', answers(500)],
  ['answers 404', 'answered 404', answers(404)],
  ['redirects', 'answered 301', redirects],
  ['answers garbage', 'without a checkpoint', answers(200, { 'content-type': 'application/json' }, '{]')],
  ['answers 10 MB', 'without a checkpoint', floods],
  ['answers 200 without a checkpoint', 'without a checkpoint', answers(200, {}, 'OK')],
])('a subscriber that %s does not delay others', async (what, error, answer) => {
  await misbehave(answer);
  await expectOnlyItselfHarmed(what, error);
  expect(redirected).toBe(0);
});

test.each([429, 503])('a subscriber that answers %i with Retry-After is not called before', async (status) => {
  await misbehave(answers(status, { 'retry-after': '10' }));
  await expectOnlyItselfHarmed(`answers ${status}`, `answered ${status}`);
  // The bus's own pauses are at most 5 s.
  const next = Date.parse((await moderation())?.nextAttempt ?? '');
  expect(next - Date.now()).toBeGreaterThan(5_000);
});

test('the real subscriber gets everything once it is back', async () => {
  bad.closeAllConnections();
  await new Promise((resolve) => bad.close(resolve));
  await system.startPart('moderation');
  await system.quiet();
  expect(check(writesOf(written), await takeSnapshot(system))).toEqual([]);
  const most = mostMemory();
  if (LONG) process.stdout.write(`the bus held at most ${Math.round(most / 1024)} MiB\n`);
  expect(most).toBeLessThan(MEMORY);
});
