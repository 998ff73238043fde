/** @jest-environment node */
import { createServer, type IncomingMessage, type RequestListener, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { createGateway, type Middleware } from '../server/gateway.ts';
import { PARTS, type Part } from '../server/routes.ts';

type Seen = { part: string; line: string; headers: IncomingMessage['headers']; body: string };

const servers: Server[] = [];
const urls = {} as Record<Part, string>;
let seen: Seen[] = [];
let handle: RequestListener | undefined;
let off: string;
let on: string;

async function listen(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const withPage =
  (gateway: Middleware): RequestListener =>
  (req, res) =>
    gateway(req, res, () => res.end('the page'));

beforeAll(async () => {
  for (const part of PARTS) {
    urls[part] = await listen(async (req, res) => {
      let body = '';
      for await (const chunk of req) body += chunk;
      seen.push({ part, line: `${req.method} ${req.url}`, headers: req.headers, body });
      if (handle) handle(req, res);
      else res.end(part);
    });
  }
  off = await listen(withPage(createGateway({ urls, control: false })));
  on = await listen(withPage(createGateway({ urls, control: true })));
});

beforeEach(() => {
  seen = [];
  handle = undefined;
});

afterAll(() => {
  for (const server of servers) {
    server.close();
    server.closeAllConnections();
  }
});

/** As it is typed: fetch would put the path in order before sending it. */
function ask(base: string, line: string, headers: Record<string, string> = {}, body?: string) {
  const [method, path] = line.split(' ');
  return new Promise<{ status?: number; headers: IncomingMessage['headers']; text: string }>((resolve, reject) => {
    const { hostname, port } = new URL(base);
    const sent = request({ hostname, port, method, path, headers }, async (res) => {
      try {
        let text = '';
        for await (const chunk of res) text += chunk;
        resolve({ status: res.statusCode, headers: res.headers, text });
      } catch (error) {
        reject(error);
      }
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

describe('routes', () => {
  test.each([
    ['POST /posts', 'posts', 'POST /posts'],
    ['POST /posts/create', 'posts', 'POST /posts/create'],
    ['GET /posts?limit=2&cursor=a%2Fb', 'query', 'GET /posts?limit=2&cursor=a%2Fb'],
    ['GET /posts/a%2Fb?cursor=c', 'query', 'GET /posts/a%2Fb?cursor=c'],
    ['HEAD /posts', 'query', 'HEAD /posts'],
    ['GET /stream?after=x-1', 'query', 'GET /stream?after=x-1'],
    ['GET /posts/p/comments', 'comments', 'GET /posts/p/comments'],
    ['POST /posts/p/comments', 'comments', 'POST /posts/p/comments'],
    ['GET /api/system/subscriptions', 'event-bus', 'GET /subscriptions'],
    ['GET /api/system/dead-letters', 'event-bus', 'GET /dead-letters'],
    ['GET /api/system/log?before=9', 'event-bus', 'GET /events?before=9'],
    ['GET /api/system/log/stream', 'event-bus', 'GET /stream'],
    ['GET /api/system/log/12/deliveries', 'event-bus', 'GET /events/12/deliveries'],
    ['GET /api/system/parts/moderation', 'moderation', 'GET /readyz'],
    ['GET /api/system/parts/event-bus', 'event-bus', 'GET /readyz'],
  ])('%s goes to %s as %s', async (line, part, expected) => {
    expect((await ask(off, line)).status).toBe(200);
    expect(seen.map((one) => [one.part, one.line])).toEqual([[part, expected]]);
  });

  test.each(['GET /', 'GET /system', 'GET /assets/a.js', 'GET /src/main.tsx?t=1'])(
    '%s is left to the page',
    async (line) => {
      expect((await ask(off, line)).text).toBe('the page');
      expect(seen).toEqual([]);
    },
  );

  test.each(['GET /healthz', 'GET /readyz', 'GET /api/system/parts/client'])('%s is answered here', async (line) => {
    const { status, headers } = await ask(off, line);
    expect([status, headers['content-type']]).toEqual([200, 'application/json']);
    expect(seen).toEqual([]);
  });

  test.each([
    'GET /events',
    'POST /events',
    'GET /metrics',
    'GET /EVENTS/',
    'GET //events',
    'GET /x/events',
    'GET /posts/events',
    'GET /posts/%2e%2e/events',
    'GET /posts/../events',
    'GET /posts/..%2fevents',
    'GET /posts/a%2fevents',
    'GET /posts/a%5cevents',
    'GET /posts/%2e%2e',
    'GET /posts/%2e/comments',
    'GET /posts/%ff',
    'GET /posts/a%00',
    'GET /api/system/parts/elsewhere',
    'GET /api/system/parts/constructor',
    'GET /api/system/log/x/deliveries',
    'GET /api/unknown',
    'POST /unknown',
    'GET http://127.0.0.1:1/posts',
  ])('%s reaches nothing and is 404', async (line) => {
    const { status, headers } = await ask(off, line);
    expect([status, headers['content-type']]).toEqual([404, 'application/problem+json']);
    expect(seen).toEqual([]);
  });

  test.each([
    ['DELETE /posts', 'POST, GET, HEAD'],
    ['POST /stream', 'GET, HEAD'],
    ['PUT /posts/p/comments', 'GET, HEAD, POST'],
    ['POST /healthz', 'GET, HEAD'],
    ['POST /', 'GET, HEAD'],
    ['PUT /api/system/subscriptions', 'GET, HEAD'],
  ])('%s is 405 and names what can be used', async (line, allow) => {
    const { status, headers } = await ask(off, line);
    expect([status, headers.allow]).toEqual([405, allow]);
  });
});

describe('control of the bus', () => {
  const lines = [
    ['POST /api/system/subscriptions/query/pause', 'POST /subscriptions/query/pause'],
    ['POST /api/system/subscriptions/query/replay', 'POST /subscriptions/query/replay'],
    ['POST /api/system/dead-letters/7/redeliver', 'POST /dead-letters/7/redeliver'],
    ['DELETE /api/system/dead-letters/7', 'DELETE /dead-letters/7'],
  ] as const;

  test.each(lines)('%s works where it is on', async (line, expected) => {
    expect((await ask(on, line)).status).toBe(200);
    expect((await ask(on, line, { origin: on })).status).toBe(200);
    expect(seen.map((one) => one.line)).toEqual([expected, expected]);
  });

  test.each(lines)('%s is 404 where it is off, or from another origin', async (line, _) => {
    expect((await ask(off, line)).status).toBe(404);
    for (const origin of ['http://evil.example', 'null', off]) {
      expect((await ask(on, line, { origin })).status).toBe(404);
    }
    expect(seen).toEqual([]);
  });

  test('nothing else of the bus can be controlled', async () => {
    expect((await ask(on, 'POST /api/system/subscriptions/query/destroy')).status).toBe(404);
    expect((await ask(on, 'POST /api/system/log')).status).toBe(405);
  });
});

describe('passing on', () => {
  test('body, key and answer pass unchanged; the origin and what belongs to the connection do not', async () => {
    handle = (_req, res) => {
      res.writeHead(201, { Location: '/posts/1', 'X-Kept': 'yes' });
      res.end('{"id":"1"}');
    };
    const headers = { 'content-type': 'application/json', 'idempotency-key': 'k', origin: 'http://x', te: 'trailers' };
    const answer = await ask(off, 'POST /posts', { ...headers, connection: 'x-hop', 'x-hop': '1' }, '{"title":"T"}');
    expect(answer).toMatchObject({
      status: 201,
      text: '{"id":"1"}',
      headers: { location: '/posts/1', 'x-kept': 'yes' },
    });
    expect(seen[0]?.body).toBe('{"title":"T"}');
    expect(seen[0]?.headers['idempotency-key']).toBe('k');
    for (const name of ['origin', 'te', 'x-hop']) expect(seen[0]?.headers[name]).toBeUndefined();
  });

  test('a redirect is passed on, not followed', async () => {
    handle = (_req, res) => res.writeHead(302, { Location: `${urls.moderation}/events` }).end();
    expect((await ask(off, 'GET /posts')).status).toBe(302);
    expect(seen).toHaveLength(1);
  });

  test('a body where none belongs does not reach the part', async () => {
    await ask(off, 'GET /posts', { 'transfer-encoding': 'chunked' }, 'GET /events HTTP/1.1\r\n\r\n');
    expect(seen.map(({ line, body }) => [line, body])).toEqual([['GET /posts', '']]);
  });

  test('a part that is away, or goes before it answers, is a 503 that says when to try again', async () => {
    const nobody = await listen(
      withPage(createGateway({ urls: { ...urls, posts: 'http://127.0.0.1:1' }, control: false })),
    );
    handle = (req) => req.socket.destroy();
    for (const answer of [await ask(nobody, 'POST /posts', {}, '{}'), await ask(off, 'GET /posts')]) {
      expect(answer.status).toBe(503);
      expect(answer.headers).toMatchObject({ 'retry-after': '1', 'content-type': 'application/problem+json' });
      expect(JSON.parse(answer.text)).toMatchObject({ title: 'Service Unavailable', status: 503 });
    }
  });

  test('a part that dies in the middle of its answer ends the connection', async () => {
    handle = (req, res) => {
      res.writeHead(200, { 'content-length': '100' }).write('half');
      setImmediate(() => req.socket.destroy());
    };
    await expect(ask(off, 'GET /posts')).rejects.toThrow();
  });

  test('a request ends at the part when its client leaves before the answer', async () => {
    const reader = new AbortController();
    const gone = new Promise<void>((resolve) => {
      handle = (req, res) => {
        res.on('close', resolve);
        if (req.url === '/posts') reader.abort();
      };
    });
    await expect(fetch(`${off}/posts`, { signal: reader.signal })).rejects.toThrow();
    await gone;
  });

  test('a stream passes piece by piece, and ends at the part when its reader leaves', async () => {
    let left: () => void = () => undefined;
    const gone = new Promise<void>((resolve) => {
      left = resolve;
    });
    handle = (_req, res) => {
      res.on('close', left);
      res.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: 1\n\n');
    };
    const reader = new AbortController();
    const response = await fetch(`${off}/stream`, { signal: reader.signal });
    const chunk = await response.body?.getReader().read();
    expect(new TextDecoder().decode(chunk?.value)).toBe('data: 1\n\n');
    reader.abort();
    await gone;
  });
});
