// The bus only ever calls the addresses that it is configured with, whatever they answer.

import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { freePorts } from '../../scripts/lib/port-use.ts';
import { get, post, until } from '../lib/http.ts';
import { type Subscription, startProcess } from '../lib/system.ts';

const dataDir = mkdtempSync(join(tmpdir(), 'blog e2e '));
const servers: Server[] = [];
let bus: string;
let running: Awaited<ReturnType<typeof startProcess>>;

async function listen(answer: RequestListener) {
  const called: string[] = [];
  const server = createServer((req: IncomingMessage, res) => {
    called.push(`${req.method} ${req.url}`);
    answer(req, res);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { called, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}
type Called = Awaited<ReturnType<typeof listen>>;

let internal: Called;
let redirecting: Called;
let large: Called;
let well: Called;
let sent = 0;

beforeAll(async () => {
  internal = await listen((_, res) => void res.end('{}'));
  redirecting = await listen((req, res) => {
    const status = [301, 302, 303, 307, 308][redirecting.called.length % 5] ?? 302;
    res.writeHead(status, { Location: `${internal.url}/internal${req.url}` }).end();
  });
  // 10 MB, with backpressure.
  large = await listen((_, res) => {
    const piece = 'x'.repeat(100_000);
    let left = 100;
    const more = () => {
      while (left > 0 && !res.destroyed) {
        left -= 1;
        sent += piece.length;
        if (!res.write(piece)) return void res.once('drain', more);
      }
      res.end();
    };
    more();
  });
  well = await listen((req, res) => void res.writeHead(req.method === 'GET' ? 404 : 204).end());
  const [port] = await freePorts(1);
  bus = `http://127.0.0.1:${port}`;
  const subscriptions = Object.entries({ redirecting, large, well }).map(([name, { url }]) => `${name}=${url}/events`);
  running = await startProcess('event-bus/src/main.ts', {
    PORT: `${port}`,
    DATA_DIR: dataDir,
    SUBSCRIPTIONS: subscriptions.join(','),
  });
});
afterAll(async () => {
  await running?.stop();
  for (const server of servers) server.close().closeAllConnections();
  rmSync(dataDir, { recursive: true, force: true, maxRetries: 5 });
});

const subscription = async (name: string) =>
  ((await get(`${bus}/subscriptions`)).body as (Subscription & { url: string; lastError: string })[]).find(
    (each) => each.name === name,
  );

test('a redirect is never followed, an answer is read up to a limit, others do not wait, and no request adds an address', async () => {
  const data = { url: `${internal.url}/internal`, callback: internal.url };
  expect((await post(`${bus}/events`, { type: 'Tested', source: internal.url, data })).status).toBe(201);
  const tries = [
    ['/subscriptions', { name: 'new', url: internal.url }],
    ['/subscriptions/well/replay', { from: 1, url: internal.url }],
    ['/subscriptions/new/resume', { url: internal.url }],
  ] as const;
  const answers: number[] = [];
  for (const [path, body] of tries) answers.push((await post(bus + path, body)).status);
  expect(answers).toEqual([405, 200, 404]);

  await until('the one that is well has it', () => well.called.filter((line) => line === 'POST /events').length >= 1);
  await until('every kind of redirect was answered', () => redirecting.called.length >= 6);
  await until('the long answer was cut several times', () => large.called.length >= 3);
  expect(await subscription('redirecting')).toMatchObject({ state: 'retrying', url: `${redirecting.url}/events` });
  // An answer of any length counts.
  expect(await subscription('large')).toMatchObject({ state: 'live', position: 1 });
  expect(((await get(`${bus}/subscriptions`)).body as unknown[]).length).toBe(3);

  expect(internal.called).toEqual([]);
  for (const { called } of [redirecting, large, well]) {
    expect(new Set(called.map((line) => line.split(' ')[1]))).toEqual(new Set(['/events']));
  }
  // The rest of what was sent beyond the limit was in socket buffers.
  expect(sent / large.called.length).toBeLessThan(8_000_000);
});
