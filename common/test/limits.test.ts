// The server's limits: slow, large and malformed requests, and load shedding.

import { once } from 'node:events';
import type { RequestListener, Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { createHttpServer, type LIMITS } from '@blog/common/http/limits.ts';
import { listen as listenAsPart } from '@blog/common/run/server.ts';
import { afterEach, expect, test } from '@jest/globals';
import { stays, until } from './service.ts';

let server: Server;
const listen = async (limits: Partial<typeof LIMITS>, answer: RequestListener = (_, res) => void res.end('fine')) => {
  server = createHttpServer(answer, { connectionsCheckingInterval: 20, ...limits });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
};
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const port = () => (server.address() as AddressInfo).port;
const open = (sent = ''): Socket => {
  const socket = connect(port(), '127.0.0.1').setEncoding('utf8');
  socket.on('error', () => {});
  socket.write(sent);
  return socket;
};
const GET = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n';
/** Checks that the server still answers other clients. */
const answersOthers = async () => expect(await (await fetch(`http://127.0.0.1:${port()}`)).text()).toBe('fine');

/** A whole answer as received: its status line and its problem. */
async function problem(socket: Socket) {
  const [head = '', body = ''] = (await text(socket)).split('\r\n\r\n');
  expect(head).toMatch(/^Content-Type: application\/problem\+json$/m);
  expect(head).toMatch(/^Connection: close$/m);
  expect(head).toContain(`Content-Length: ${body.length}`);
  return { line: head.split('\r\n')[0], ...JSON.parse(body) };
}

test.each([
  ['no byte comes', ''],
  ['headers stop in the middle', 'GET / HTTP/1.1\r\nHost: x'],
])('a connection where %s is 408 in time, and closed', async (_, sent) => {
  await listen({ headersTimeout: 1_000 });
  const slow = problem(open(sent));
  await answersOthers();
  expect(await slow).toMatchObject({ line: 'HTTP/1.1 408 Request Timeout', status: 408, detail: expect.any(String) });
});

test('headers that come byte by byte are 408 in time', async () => {
  await listen({ headersTimeout: 200 });
  const socket = open('GET / HTTP/1.1\r\nX: ');
  const dripping = setInterval(() => socket.write('x'), 10);
  expect((await problem(socket)).status).toBe(408);
  clearInterval(dripping);
});

test('a body that comes byte by byte is 408 in time', async () => {
  await listen({ headersTimeout: 1_000, requestTimeout: 1_500 }, (req, res) => {
    if (req.method === 'GET') res.end('fine');
  });
  const socket = open('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n');
  const dripping = setInterval(() => socket.write('x'), 10);
  const slow = problem(socket);
  await answersOthers();
  expect((await slow).status).toBe(408);
  clearInterval(dripping);
});

test('an idle connection is closed', async () => {
  await listen({ keepAliveTimeout: 100 });
  expect(await text(open(GET))).toMatch(/fine/);
});

test.each([
  ['headers over 16 KiB', `GET / HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(17_000)}\r\n\r\n`, 431],
  ['what is not HTTP', 'nonsense\r\n\r\n', 400],
  ['two lengths', 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcd', 400],
])('%s: refused with problem details', async (_, sent, status) => {
  await listen({});
  expect(await problem(open(sent))).toMatchObject({ type: 'about:blank', status, detail: expect.any(String) });
  await answersOthers();
});

const POST = 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}';
/** The statuses of all answers on a connection, in order. */
const answersOn = async (socket: Socket) => {
  const all = await text(socket);
  return [...all.matchAll(/HTTP\/1\.1 (\d+) /g)].map(([, status]) => Number(status));
};

test.each([
  ['a stray byte', 'x', 400],
  ['many of them', 'x'.repeat(3_000_000), 400],
  ['a malformed request', 'nonsense\r\n\r\n', 400],
  ['a body that is malformed', 'POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZ\r\n', 400],
  ['headers over 16 KiB', `GET / HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(17_000)}\r\n\r\n`, 431],
  ['half of the headers', 'GET / HTTP/1.1\r\nHo', 408],
  ['half of a body', 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{', 408],
  ['HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400],
  ['CONNECT', 'CONNECT x:1 HTTP/1.1\r\nHost: x:1\r\n\r\n', 400],
])('complete requests are answered before %s after them is refused', async (_, behind, status) => {
  const arrived: string[] = [];
  const refusal = Promise.withResolvers<void>();
  // Short only where it is waited for.
  await listen(status === 408 ? { headersTimeout: 1_000, requestTimeout: 1_500 } : {}, async (req, res) => {
    let body = '';
    req.on('data', (chunk) => {
      body += chunk;
    });
    req.on('end', async () => {
      arrived.push(body);
      await refusal.promise;
      res.end('fine');
    });
  });
  server.on('clientError', () => refusal.resolve()).on('connect', () => refusal.resolve());
  expect(await answersOn(open(POST + POST + behind))).toEqual([200, 200, status]);
  expect(arrived).toEqual(['{}', '{}']);
});

test.each(['h2c', 'websocket'])('an upgrade to %s is answered in HTTP/1.1', async (protocol) => {
  await listen({}, async (req, res) => void res.end(`got ${req.method} ${await text(req)}`));
  const socket = open();
  for (const [method, body] of [
    ['GET', ''],
    ['POST', '{}'],
    ['GET', ''],
  ] as const) {
    const headers = `Host: x\r\nConnection: Upgrade\r\nUpgrade: ${protocol}\r\nContent-Length: ${body.length}`;
    socket.write(`${method} / HTTP/1.1\r\n${headers}\r\n\r\n${body}`);
    expect(String(await once(socket, 'data'))).toMatch(`got ${method} ${body}`);
  }
});

test('no error is written to a connection that is closed', async () => {
  const counts: number[] = [];
  await listen({}, async (_, res) => {
    res.write('begun');
    await nextTurn();
    const count = () => counts.push(res.listenerCount('close'));
    count();
    server.on('clientError', count);
    res.destroy(new Error('what it was made of broke off'));
  });
  await once(open(GET).resume(), 'close');
  await until(() => counts.length === 2);
  expect(counts[1]).toBe(counts[0]);
});

test('no error is written into an answer that has begun; it is completed', async () => {
  const refusal = Promise.withResolvers<void>();
  await listen({}, async (_, res) => {
    res.writeHead(200, { 'content-length': 10 });
    res.write('begun');
    await refusal.promise;
    res.end('ended');
  });
  server.on('clientError', () => refusal.resolve());
  const socket = open(GET);
  const all = text(socket);
  await once(socket, 'readable');
  socket.write('nonsense\r\n\r\n');
  expect(await all).toMatch(/begunendedHTTP\/1\.1 400 /);
});

test('graceful shutdown: all requests received on a connection are answered before it is closed', async () => {
  const answers: (() => void)[] = [];
  server = createHttpServer((_, res) => void answers.push(() => res.end('fine')));
  const listening = Promise.withResolvers<void>();
  const close = listenAsPart(server, 'localhost', 0, listening.resolve);
  await listening.promise;
  const socket = open(GET + GET);
  let all = '';
  socket.on('data', (chunk) => {
    all += chunk;
  });
  await until(() => answers.length === 2);
  const closed = close(60_000);
  answers[0]?.();
  await until(() => all.includes('fine'));
  answers[1]?.();
  await once(socket, 'end');
  expect(all.match(/fine/g)).toHaveLength(2);
  await closed;
});

test('a connection over the limit is closed at once, and the open ones are not affected', async () => {
  await listen({ connections: 2, keepAliveTimeout: 10_000 });
  const [one, two] = [open(GET), open(GET)];
  await Promise.all([once(one, 'data'), once(two, 'data')]);
  expect(await text(open(GET))).toBe('');
  one.write(GET);
  expect(String(await once(one, 'data'))).toMatch(/fine/);
  two.destroy();
  await until(async () => /fine/.test(await text(open('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'))));
});

const LARGE = Buffer.alloc(30_000_000, 'x');
const openConnections = () => new Promise<number>((resolve) => server.getConnections((_, count) => resolve(count)));

test('a client that does not read its answer is disconnected, for complete answers and streams', async () => {
  const asked: unknown[] = [];
  await listen({ unread: 1_000 }, (req, res) => {
    asked.push(req.url);
    if (req.url === '/ready') res.end(LARGE);
    else if (req.url === '/on') res.write(LARGE);
    else res.end('fine');
  });
  const stuck: Socket[] = [];
  for (const path of ['/ready', '/on']) {
    stuck.push(open(GET.replace('/', path)).pause());
    await until(() => asked.includes(path));
  }
  await answersOthers();
  await until(async () => (await openConnections()) <= 1); // fetch keeps one open
  for (const socket of stuck) socket.destroy();
});

test('a slow reader gets the whole answer, and a slow answer is not cut off', async () => {
  const late = Promise.withResolvers<void>();
  await listen({ unread: 2_000 }, async (req, res) => {
    if (req.url === '/late') await late.promise;
    res.end(req.url === '/late' ? 'late' : LARGE);
  });
  const waiting = open('GET /late HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
  const slow = open('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
  let length = 0;
  slow.on('data', (chunk) => {
    length += chunk.length;
    slow.pause();
    setTimeout(() => slow.resume(), 1);
  });
  await once(slow, 'end');
  expect(length).toBeGreaterThan(LARGE.length);
  expect(await stays(() => !waiting.destroyed, 2_300)).toBe(true);
  late.resolve();
  expect(await text(waiting)).toMatch(/late$/);
});

/** Blocks the event loop, as work does. */
const spend = (milliseconds: number) => {
  for (const end = performance.now() + milliseconds; performance.now() < end; );
};

test('load shedding: a few requests in a long turn are all answered, because the process may have had no processor time', async () => {
  await listen({ turn: 10 }, (_, res) => {
    spend(20);
    res.end('fine');
  });
  const sockets = Array.from({ length: 20 }, () => open());
  await until(async () => (await openConnections()) === sockets.length);
  for (const socket of sockets) socket.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
  const answers = await Promise.all(sockets.map((socket) => text(socket)));
  expect(answers.map((answer) => answer.split('\r\n')[0])).toEqual(sockets.map(() => 'HTTP/1.1 200 OK'));
});

test('load shedding: under overload the newest requests are 503 at once and accepted ones are completed, except for health, metrics and the bus', async () => {
  const done: string[] = [];
  await listen({ turn: 100 }, (req, res) => {
    spend(10);
    done.push(req.url ?? '');
    res.end('fine');
  });
  const paths = Array.from({ length: 200 }, (_, i) => `/${i}`).concat('/events', '/healthz', '/readyz', '/metrics');
  const sockets = paths.map(() => open());
  await until(async () => (await openConnections()) === paths.length);
  const answers = await Promise.all(
    sockets.map(async (socket, i) => {
      socket.write(`POST ${paths[i]} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
      return text(socket);
    }),
  );
  const accepted = paths.filter((_, i) => answers[i]?.startsWith('HTTP/1.1 200'));
  expect(accepted.sort()).toEqual(done.sort());
  expect(accepted).toEqual(expect.arrayContaining(['/0', '/events', '/healthz', '/readyz', '/metrics']));
  const refused = answers.filter((answer) => /^HTTP\/1.1 503 /.test(answer));
  expect(refused).toHaveLength(paths.length - accepted.length);
  expect(refused.length).toBeGreaterThan(50);
  for (const answer of refused) {
    expect(answer).toMatch(/^Retry-After: 1$/m);
    expect(answer).toMatch(/^Content-Type: application\/problem\+json$/m);
    expect(JSON.parse(answer.split('\r\n\r\n')[1] ?? '')).toMatchObject({ status: 503, detail: expect.any(String) });
  }
  await answersOthers();
});
