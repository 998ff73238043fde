// Calls between parts: deadlines, limits and errors.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { PassThrough } from 'node:stream';
import { inspect } from 'node:util';
import { gzipSync } from 'node:zlib';
import { detailOf, exchange, reason } from '@blog/common/core/exchange.ts';
import { afterEach, expect, test } from '@jest/globals';
import { pino } from 'pino';

const TOKEN = 'a-token-of-this-test';

let server: Server;
const listen = async (answer: RequestListener) => {
  server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/events`;
};
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});
const ask = (url: string, deadline?: number) => exchange({ method: 'GET', url, deadline });

test('a redirect is an answer like any other and is not followed', async () => {
  const asked: unknown[] = [];
  const url = await listen((req, res) => {
    asked.push(req.url);
    res.writeHead(302, { location: '/internal' }).end();
  });
  expect(await ask(url)).toMatchObject({ status: 302 });
  expect(asked).toEqual(['/events']);
});

test.each<[string, RequestListener]>([
  ['never comes', () => {}],
  ['comes byte by byte', (_, res) => void setInterval(() => res.write(' '), 20).unref()],
])('an answer that %s ends at the deadline', async (_, answer) => {
  await expect(ask(await listen(answer), 200)).rejects.toThrow('no answer in time');
});

test('an answer is read up to 64 KiB and no further', async () => {
  let sent = 0;
  const url = await listen((_, res) => {
    const more = () => {
      while (!res.destroyed && res.write('x'.repeat(100_000))) sent += 100_000;
    };
    res.on('drain', more);
    more();
  });
  const answer = await ask(url);
  expect(answer).toMatchObject({ status: 200, body: undefined });
  expect(answer.text).toHaveLength(64 * 1024);
  expect(sent).toBeLessThan(20_000_000);
});

test('a compressed answer is not unpacked', async () => {
  const url = await listen((_, res) => void res.setHeader('content-encoding', 'gzip').end(gzipSync('{"position":1}')));
  expect(await ask(url)).toMatchObject({ status: 200, body: undefined });
});

test.each<[string, RequestListener]>([
  ['is refused', (req) => req.socket.destroy()],
  ['does not come in time', () => {}],
])('the token goes with the request, and is not in the error when the answer %s', async (_, answer) => {
  let sent: string | undefined;
  const url = await listen((req, res) => {
    sent = req.headers.authorization;
    answer(req, res);
  });
  const error = await exchange({ method: 'POST', url, token: TOKEN, body: '{}', deadline: 1_500 }).catch((e) => e);
  expect(sent).toBe(`Bearer ${TOKEN}`);
  expect(error).toBeInstanceOf(Error);
  const lines = new PassThrough();
  pino(lines).error({ err: error }, reason(error));
  const shown = `${lines.read()}${inspect(error, { depth: null, showHidden: true })}`;
  expect(shown).toContain(reason(error));
  expect(shown).not.toContain(TOKEN);
});

test('a body that is not JSON is undefined', async () => {
  expect(await ask(await listen((_, res) => void res.end('<html>')))).toMatchObject({ status: 200, body: undefined });
});

test.each([
  ['the detail of a problem document', '{"detail":"no such thing","status":400}', 'no such thing'],
  [
    'a detail that is no text',
    '{"detail":[{"loc":["body"],"msg":"field required"}]}',
    '{"detail":[{"loc":["body"],"msg":"field required"}]}',
  ],
  ['a page', '<h1>Error</h1>\n  <pre>boom</pre>\n', '<h1>Error</h1> <pre>boom</pre>'],
  ['what controls a terminal, or turns text', 'a\u001b[2Jb\u0000\u202ec\r\nd', 'a\\u001b[2Jb\\u0000\\u202ec d'],
  ['nothing', '', ''],
  ['null', 'null', 'null'],
  ['more than is shown', `${'x'.repeat(499)}😀`, `${'x'.repeat(499)}\ufffd`],
])('the text of an error answer becomes one short line of plain text: %s', async (_, body, shown) => {
  expect(detailOf(await ask(await listen((_, res) => void res.writeHead(400).end(body))))).toBe(shown);
});

test.each<[boolean, string, RequestListener | undefined]>([
  [true, 'hangs', () => {}],
  [true, 'resets the connection', (req) => req.socket.resetAndDestroy()],
  [
    true,
    'switches to another protocol',
    (req) => req.socket.write('HTTP/1.1 101 \r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n'),
  ],
  [true, 'breaks off its answer', (_, res) => void res.writeHead(200).write('x', () => res.destroy())],
  [false, 'is not there', undefined],
])('a failed exchange tells if the other side is there: %s, because it %s', async (heard, _, answer) => {
  const url = await listen(answer ?? (() => {}));
  if (!answer) await new Promise((resolve) => server.close(resolve));
  expect(await ask(url, 1_500).catch((e) => e)).toMatchObject({ heard });
  if (!answer) await listen(() => {});
});

test('an exchange that we abort tells nothing about the other side', async () => {
  const url = await listen((_, res) => void res.writeHead(200).write('x', () => ending.abort()));
  const ending = new AbortController();
  const error = await exchange({ method: 'GET', url, ending: ending.signal }).catch((e) => e);
  expect(error).toMatchObject({ message: 'no answer in time', heard: false });
});

test('after a refusal the next attempt opens a new connection, which may lead elsewhere', async () => {
  const connections = new Set<unknown>();
  const url = await listen((req, res) => {
    connections.add(req.socket);
    res.writeHead(connections.size === 1 ? 404 : 200).end();
  });
  expect(await ask(url)).toMatchObject({ status: 404 });
  expect(await ask(url)).toMatchObject({ status: 200 });
  expect(await ask(url)).toMatchObject({ status: 200 });
  expect(connections.size).toBe(2);
});

const LISTEN =
  "net.createServer().listen({ port: 0, host: '127.0.0.1', backlog: 1 }, function () { console.log(this.address().port) })";

// On Linux, a listener with a full backlog neither accepts nor refuses further connections.
(process.platform === 'linux' ? test : test.skip)(
  'a connection that does not open is given up long before the deadline',
  async () => {
    server = createServer();
    const child = spawn(process.execPath, ['-e', LISTEN], { stdio: ['ignore', 'pipe', 'inherit'] });
    const [line] = await once(child.stdout, 'data');
    child.kill('SIGSTOP');
    const queued = [1, 2].map(() => connect(Number(line), '127.0.0.1'));
    try {
      await Promise.all(queued.map((socket) => once(socket, 'connect')));
      await expect(ask(`http://127.0.0.1:${Number(line)}/events`, 30_000)).rejects.toThrow('connection timed out');
    } finally {
      for (const socket of queued) socket.destroy();
      child.kill('SIGKILL');
    }
  },
);
