/** @jest-environment node */
// Features of the gateway on one machine: control of the bus, host names, settings, the end, and what of Vite is reachable.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { until } from '../../e2e/lib/http.ts';
import { ask, PAGE, send, settingsFor, start, startParts, startVite } from './gateways.ts';

const ROOT = join(import.meta.dirname, '../..');
const MAIN = join(ROOT, 'client/server/main.ts');
type Gateway = Awaited<ReturnType<typeof start>>;

let parts: Awaited<ReturnType<typeof startParts>>;
let preview: Gateway;
let development: Gateway;
beforeAll(async () => {
  parts = await startParts();
  [preview, development] = await Promise.all([
    startVite(parts.urls, { CONTROL: 'on', ALLOWED_HOSTS: 'blog.example' }),
    start(() => [process.execPath, MAIN], {
      ...settingsFor(parts.urls, { BUS_LESSON: '{"step":3}' }),
      NODE_ENV: 'development',
    }),
  ]);
});
beforeEach(() => parts.reset());
afterAll(() => Promise.all([preview?.close(), development?.close(), parts?.close()]));

describe('host names', () => {
  test.each(['GET /', 'GET /posts', 'GET /healthz', 'POST /posts', 'POST /api/system/subscriptions/query/pause'])(
    '%s is 403 for a page whose own name leads here (DNS rebinding)',
    async (line) => {
      for (const host of ['evil.example:3000', 'localhost.evil.example', '127.0.0.1.evil.example:3000']) {
        const { status, text } = await ask(preview.url, line, { host, origin: `http://${host}` });
        expect([status, JSON.parse(text).status]).toEqual([403, 403]);
      }
      expect(parts.seen).toEqual([]);
    },
  );

  test.each([
    ...['localhost:3000', 'blog.localhost', '127.0.0.1:3000', '[::1]:3000', '10.0.2.2:3000', 'client-srv:3000'],
    ...['host.containers.internal:3000', 'blog.example', '[fe80::1]'],
  ])('it answers to the name %s, and control is on', async (host) => {
    expect((await ask(preview.url, 'POST /posts', { host, origin: `http://${host}` })).status).toBe(200);
    expect((await ask(preview.url, 'GET /', { host })).text).toBe(PAGE);
    const answer = await ask(preview.url, 'DELETE /api/system/dead-letters/7', { host, origin: `http://${host}` });
    expect(answer.status).toBe(200);
  });
});

describe('control of the bus', () => {
  const lines = [
    ['POST /api/system/subscriptions/query/pause', 'POST /subscriptions/query/pause'],
    ['POST /api/system/subscriptions/query/resume', 'POST /subscriptions/query/resume'],
    ['POST /api/system/subscriptions/query/skip', 'POST /subscriptions/query/skip'],
    ['POST /api/system/subscriptions/query/replay', 'POST /subscriptions/query/replay'],
    ['POST /api/system/dead-letters/7/redeliver', 'POST /dead-letters/7/redeliver'],
    ['DELETE /api/system/dead-letters/7', 'DELETE /dead-letters/7'],
    ['DELETE /api/system/subscriptions/posts-1', 'DELETE /subscriptions/posts-1'],
  ] as const;

  test.each(lines)('%s works where it is on', async (line, expected) => {
    expect((await ask(preview.url, line)).status).toBe(200);
    expect((await ask(preview.url, line, { origin: preview.url })).status).toBe(200);
    expect(parts.seen.map((one) => one.line)).toEqual([expected, expected]);
  });

  test('the page is told so', async () => {
    const { text } = await ask(preview.url, 'GET /api/system/state');
    expect(text.split('\n')).toContain('{"name":"client","state":{"status":"ready","degraded":[],"control":true}}');
  });

  test.each(lines)('%s is refused from another origin', async (line, _) => {
    for (const origin of ['http://evil.example', 'null', parts.urls.posts]) {
      expect((await ask(preview.url, line, { origin })).status).toBe(403);
    }
    expect(parts.seen).toEqual([]);
  });

  test.each(lines)('%s takes a body only as JSON, which no form of a foreign page can send', async (line, expected) => {
    const hasBody = line.startsWith('POST');
    const forms = ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x'];
    for (const type of [...forms, 'text/plain; application/json', 'application/jsonp']) {
      for (const body of hasBody ? ['{"from":1}', ''] : ['']) {
        const sent = { 'content-type': type, 'content-length': `${body.length}`, origin: preview.url };
        const { status, headers } = await ask(preview.url, line, sent, body);
        expect([type, status, headers['content-type']]).toEqual([type, 415, 'application/problem+json']);
      }
    }
    // A script may send bytes without a type.
    const refused = hasBody ? 415 : 400;
    expect((await ask(preview.url, line, { 'transfer-encoding': 'chunked' }, '{}')).status).toBe(refused);
    expect((await ask(preview.url, line, { 'content-length': '2' }, '{}')).status).toBe(refused);
    expect(parts.seen).toEqual([]);
    for (const type of ['application/json', 'Application/JSON; charset=utf-8']) {
      const body = hasBody ? '{}' : '';
      const sent = { 'content-type': type, 'content-length': `${body.length}` };
      expect((await ask(preview.url, line, sent, body)).status).toBe(200);
    }
    expect(parts.seen.map((one) => one.line)).toEqual([expected, expected]);
  });

  test.each([
    ['GET /api/system/subscriptions/query/pause', 'POST'],
    ['PUT /api/system/subscriptions/query/replay', 'POST'],
    ['GET /api/system/dead-letters/7/redeliver', 'POST'],
    ['GET /api/system/dead-letters/7', 'DELETE'],
    ['POST /api/system/dead-letters/7', 'DELETE'],
    ['DELETE /api/system/dead-letters', 'GET, HEAD'],
  ])('%s is 405 and names the allowed methods', async (line, allow) => {
    const { status, headers } = await ask(preview.url, line);
    expect([status, headers['content-type'], headers.allow]).toEqual([405, 'application/problem+json', allow]);
    expect(parts.seen).toEqual([]);
  });

  test('nothing else of the bus can be controlled', async () => {
    expect((await ask(preview.url, 'POST /api/system/subscriptions/query/destroy')).status).toBe(404);
    expect((await ask(preview.url, 'POST /api/system/log')).status).toBe(405);
  });
});

describe('upgrades', () => {
  /** The answer to an upgrade request, on a connection that the server is asked to close. */
  const offer = ({ url }: Gateway, path: string, protocol: string, ...headers: string[]) =>
    send(url, [`GET ${path} HTTP/1.1`, 'Host: localhost', `Upgrade: ${protocol}`, ...headers, '', ''].join('\r\n'));
  const websocket = [
    'Connection: Upgrade, close',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    'Sec-WebSocket-Version: 13',
  ];

  test('an upgrade to another protocol is answered in HTTP/1.1', async () => {
    const h2c = ['Connection: Upgrade, HTTP2-Settings, close', 'HTTP2-Settings: AAMAAABkAAQAAP__'];
    expect(await offer(development, '/posts', 'h2c', ...h2c)).toMatch(/^HTTP\/1\.1 200 OK\r\n[\s\S]*query/);
    expect(await offer(development, '/posts', 'websocket', ...websocket)).toMatch(/^HTTP\/1\.1 200 OK\r\n[\s\S]*query/);
    expect(await offer(development, '/', 'websocket', ...websocket)).toMatch(/^HTTP\/1\.1 200 OK\r\n[\s\S]*<title>/);
    const hmr = 'Sec-WebSocket-Protocol: vite-hmr';
    expect(await offer(preview, '/', 'websocket', ...websocket, hmr)).toMatch(/^HTTP\/1\.1 200 OK\r\n[\s\S]*<title>/);
  });

  test("Vite's own socket is opened, but not by a foreign name", async () => {
    const socket = new WebSocket(`${development.url.replace('http', 'ws')}/`, 'vite-hmr');
    const opened = await new Promise((resolve, reject) => {
      socket.onmessage = ({ data }) => resolve(JSON.parse(data));
      socket.onerror = reject;
    });
    expect(opened).toEqual({ type: 'connected' });
    socket.close();
    const rebound = ['GET / HTTP/1.1', 'Host: evil.example', 'Upgrade: websocket', ...websocket];
    const answer = await send(development.url, [...rebound, 'Sec-WebSocket-Protocol: vite-hmr', '', ''].join('\r\n'));
    expect(answer).toMatch(/^HTTP\/1\.1 403 /);
  });
});

describe('in development', () => {
  /** A file's absolute path in Vite's notation. */
  const FS = `/@fs/${ROOT.split(/[\\/]/).filter(Boolean).map(encodeURIComponent).join('/')}`;

  test.each([
    ...['/', '/p/x', '/src/main.tsx', '/@vite/client', '/@react-refresh', '/icon.svg', '/docs', '/docs/docs.js'],
    ...[`${FS}/client/src/main.tsx`, `${FS}/posts/openapi.yaml`],
  ])('the page gets %s', async (path) => {
    expect((await ask(development.url, `GET ${path}`)).status).toBe(200);
  });

  test.each([
    ['/__open-in-editor?file=src/main.tsx', 404],
    ['/server/main.ts', 404],
    ['/vite.config.ts', 404],
    ['/docs/openapi.yaml', 404],
    ['/@query/posts', 404],
    ['/@fs/etc/hosts', 403],
    [`${FS}/package.json`, 403],
    [`${FS}/package.json?import&raw`, 403],
    [`${FS}/client/%2e%2e/package.json`, 400],
  ])('%s does nothing and shows nothing', async (path, status) => {
    expect((await ask(development.url, `GET ${path}`)).status).toBe(status);
  });

  test('the page alone, at each of its addresses, is marked', async () => {
    const mark = '<meta name="lesson" content="{&#34;step&#34;:3}">';
    for (const path of ['/', '/system', '/p/1']) {
      const { text } = await ask(development.url, `GET ${path}`, { accept: 'text/html' });
      expect(text.split(mark)).toHaveLength(2);
    }
    expect((await ask(development.url, 'GET /docs/', { accept: 'text/html' })).text).not.toContain('name="lesson"');
  });

  test.each(['/', '/src/main.tsx', '/@vite/client'])('by a foreign name %s is 403', async (path) => {
    expect((await ask(development.url, `GET ${path}`, { host: 'evil.example' })).status).toBe(403);
  });
});

test('the page learns of a log store, and of a bus that is not ours', async () => {
  const logs = 'http://localhost:9428';
  const gateway = await startVite(parts.urls, { LOGS_URL: logs, BUS_LESSON: '{"bus":"<b> & c"}' });
  const { text } = await ask(gateway.url, 'GET /api/system/state');
  const old = { 'if-none-match': 'W/"34-1"', 'if-modified-since': 'Fri, 01 Jan 2100 00:00:00 GMT' };
  const page = await ask(gateway.url, 'GET /', old);
  await gateway.close();
  expect([page.status, page.headers['cache-control']]).toEqual([200, 'no-cache']);
  const mark = '<meta name="lesson" content="{&#34;bus&#34;:&#34;&#60;b&#62; &#38; c&#34;}">';
  expect(page.text).toBe(PAGE.replace('<title>', `${mark}<title>`));
  const state = { status: 'ready', degraded: [], control: false, logs };
  expect(text.split('\n')[0]).toBe(JSON.stringify({ name: 'client', state }));
});

describe('the process', () => {
  test('a connection whose headers do not come is closed in seconds', async () => {
    const began = performance.now();
    expect(await send(preview.url, 'GET / HTTP/1.1\r\nHost: x\r\n')).toMatch(/^HTTP\/1\.1 408 /);
    expect(performance.now() - began).toBeLessThan(30_000);
  });

  test('every invalid setting is refused by name', () => {
    const wrong = {
      LOGS_URL: 'logs',
      POSTS_URL: 'posts',
      QUERY_URL: '',
      EVENT_BUS_URL: 'ftp://bus',
      CONTROL: 'yes',
      PORT: '0',
    };
    const env = { ...settingsFor(parts.urls, wrong), NODE_ENV: 'production' };
    const { status, stderr } = spawnSync(process.execPath, [MAIN], { env, encoding: 'utf8' });
    const named = [...stderr.matchAll(/^Invalid setting (\w+): .+$/gm)].map(([, name]) => name);
    expect([status, named.sort()]).toEqual([78, Object.keys(wrong).sort()]);
  });

  test('after SIGTERM answers in flight are completed, and a stream does not delay the end', async () => {
    const ending = await startVite(parts.urls);
    let finish: () => void = () => undefined;
    const asked = new Promise<void>((resolve) => {
      parts.handle = (req, res) => {
        if (req.url === '/stream') return res.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders();
        finish = () => res.end('to the end');
        resolve();
      };
    });
    const stream = await fetch(`${ending.url}/stream`);
    const slow = ask(ending.url, 'GET /posts');
    await asked;
    ending.kill('SIGTERM');
    await until('it accepts nobody', () =>
      ask(ending.url, 'GET /healthz').then(
        () => false,
        () => true,
      ),
    );
    finish();
    expect((await slow).text).toBe('to the end');
    await expect(stream.text()).rejects.toThrow();
    expect(await ending.ended).toBe(0);
    await ending.close();
  });
});
