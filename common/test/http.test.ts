import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { PassThrough } from 'node:stream';
import { inspect } from 'node:util';
import { gzipSync } from 'node:zlib';
import { exchange, reason } from '@blog/common/http.ts';
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
  await expect(ask(url)).rejects.toThrow('the answer is too large');
  expect(sent).toBeLessThan(20_000_000);
});

test('a compressed answer is not unpacked', async () => {
  const url = await listen((_, res) => void res.setHeader('content-encoding', 'gzip').end(gzipSync('{"position":1}')));
  expect(await ask(url)).toMatchObject({ status: 200, body: undefined });
});

test.each<[string, RequestListener]>([
  ['is refused', (req) => req.socket.destroy()],
  ['does not come in time', () => {}],
  ['is too long', (_, res) => void res.end('x'.repeat(100_000))],
])('the token goes with the request, and is not in the error when the answer %s', async (_, answer) => {
  let sent: string | undefined;
  const url = await listen((req, res) => {
    sent = req.headers.authorization;
    answer(req, res);
  });
  const error = await exchange({ method: 'POST', url, token: TOKEN, body: '{}', deadline: 200 }).catch((e) => e);
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

// A listener whose queue is full takes no further connection and refuses none. So Linux has it.
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
      await expect(ask(`http://127.0.0.1:${Number(line)}/events`, 30_000)).rejects.toThrow('ETIMEDOUT');
    } finally {
      for (const socket of queued) socket.destroy();
      child.kill('SIGKILL');
    }
  },
);
