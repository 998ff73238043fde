// Pushes and answers that arrive late, twice or after a replay, and two processes of one part: no second effect, no
// skipped event. All pushes go through proxies that delay, repeat and record them.
import { createServer, type IncomingHttpHeaders, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { SERVICES } from '../../common/src/run/parts.ts';
import { freePorts } from '../../scripts/lib/port-use.ts';
import { check, takeSnapshot } from '../lib/checker.ts';
import { get, post, until } from '../lib/http.ts';
import { type System, startProcess, startSystem } from '../lib/system.ts';
import { startWriters, type Written, writesOf } from '../lib/writers.ts';

/** The bus's deadline for an answer, and the delay of late messages, in milliseconds. */
const DEADLINE = 1_000;
const HELD = 1_500;

type Push = { name: string; headers: IncomingHttpHeaders; body: string };
type Told = { status: number; progress: { checkpoint?: string } };

let system: System;
const written: Written[] = [];
const proxies = new Map<string, Server>();
const pushes: Push[] = [];
/** The share of messages that are delayed or repeated, from 0 to 1. */
let disorder = 0;
/** The answers to late and repeated pushes. */
const answered: Told[] = [];
const late: Promise<unknown>[] = [];

const deliver = (url: string, { headers, body }: Push) =>
  new Promise<{ status: number; text: string }>((resolve, reject) => {
    const sent = request(url, { method: 'POST', agent: false, headers: { ...headers, connection: 'close' } });
    sent.on('error', reject);
    sent.on('response', async (answer) => resolve({ status: answer.statusCode ?? 0, text: await text(answer) }));
    sent.end(body);
  });

/** Repeats a push to a process and records its answer. */
async function push(url: string, again: Push): Promise<void> {
  const { status, text } = await deliver(url, again);
  answered.push({ status, progress: JSON.parse(text) });
}

const after = (milliseconds: number, work: () => Promise<void>) => late.push(pause(milliseconds).then(work));

/** Starts a proxy in front of a subscriber. */
async function startProxy(name: string): Promise<string> {
  const server = createServer(async (req, res) => {
    const url = `${system?.url(name)}/events`;
    const pushed: Push = { name, headers: req.headers, body: await text(req) };
    const answer = (status: number, body: string) =>
      res.writeHead(status, { 'content-type': 'application/json' }).end(body);
    try {
      if (req.method === 'GET') {
        const told = await get(url, { 'event-head': `${req.headers['event-head']}` });
        return answer(told.status, JSON.stringify(told.body));
      }
      pushes.push(pushed);
      const lot = Math.random() / disorder;
      if (lot < 0.3) {
        // Delayed until the bus has given it up and repeated it, so it arrives twice.
        after(HELD, () => push(url, pushed));
        after(2 * HELD, () => push(url, pushed));
        return;
      }
      const told = await deliver(url, pushed);
      if (lot < 0.6)
        await pause(HELD); // the answer comes too late
      else if (lot < 1) await push(url, pushed);
      answer(told.status, told.text);
    } catch {
      res.destroy();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  proxies.set(name, server);
  return `${name}=http://127.0.0.1:${(server.address() as AddressInfo).port}/events`;
}

beforeAll(async () => {
  process.env.SUBSCRIPTIONS = (await Promise.all(SERVICES.map(startProxy))).join(',');
  process.env.DELIVERY_TIMEOUT_MS = String(DEADLINE);
  // The services' ports are known to the proxies only once the system runs.
  system = await startSystem('--production', ...['client', ...SERVICES].flatMap((name) => ['--without', name]));
  await Promise.all(SERVICES.map(system.startPart));
});
afterAll(async () => {
  await system?.stop();
  for (const server of proxies.values()) {
    server.closeAllConnections();
    server.close();
  }
});

async function expectEverythingOnce(): Promise<void> {
  await system.quiet();
  expect(check(writesOf(written), await takeSnapshot(system))).toEqual([]);
}

/**
 * Checks that each late or repeated push was answered with the part's checkpoint, unless it happened to follow on it.
 */
function expectStaleRefused(): void {
  const stale = answered.filter(({ status }) => status === 409);
  expect(stale.length).toBeGreaterThan(10);
  for (const { progress } of stale) expect(progress.checkpoint).toMatch(/^\d+-[0-9a-f]{32}$|^0$/);
  expect(answered.filter(({ status }) => ![200, 409, 503].includes(status))).toEqual([]);
  answered.length = 0;
}

async function writeWhile(work: () => Promise<void>): Promise<void> {
  const writers = startWriters(system, 3);
  await work();
  await writers.stop();
  written.push(...writers.posts);
}

/** Waits for many more pushes, a good part of them late or repeated. */
function manyPushes() {
  const enough = pushes.length + 40;
  return until('many pushes', () => pushes.length >= enough);
}

test('late or duplicated pushes and answers, also during replays, have no second effect and skip nothing', async () => {
  await writeWhile(async () => {
    disorder = 0.5;
    await manyPushes();
    for (const name of SERVICES) await post(`${system.url('event-bus')}/subscriptions/${name}/replay`);
    await manyPushes();
    disorder = 0;
  });
  await Promise.all(late);
  await expectEverythingOnce();
  expectStaleRefused();
});

test.each(['comments', 'query'])(
  'two processes of %s at once, both getting old and new pushes, act as one',
  async (name) => {
    const [port] = await freePorts(1);
    const second = await startProcess(`${name}/src/main.ts`, {
      HOST: '127.0.0.1',
      PORT: String(port),
      DATA_DIR: system.dataDir,
      EVENT_BUS_URL: system.url('event-bus'),
      NODE_ENV: 'production',
    });
    try {
      const old = pushes.filter((pushed) => pushed.name === name);
      await writeWhile(async () => {
        // A push meanwhile goes to both processes, to the second one a moment later or earlier.
        const places = [`${system.url(name)}/events`, `http://127.0.0.1:${port}/events`];
        for (let round = 0; round < 30; round++) {
          const picked = old[Math.floor(Math.random() * old.length)] as Push;
          const newest = pushes.findLast((pushed) => pushed.name === name) as Push;
          await Promise.all(places.flatMap((url) => [push(url, picked), push(url, newest)]));
        }
      });
      expect((await get(`http://127.0.0.1:${port}/healthz`)).status).toBe(200);
    } finally {
      await second.stop();
    }
    await expectEverythingOnce();
    expectStaleRefused();
  },
);
