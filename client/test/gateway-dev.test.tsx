/** @jest-environment node */
// The gateway in development as a process with Vite behind it: no feature of Vite's but the page is reachable.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { until } from '../../e2e/lib/http.ts';
import { ask, listen, send, startParts } from './gateways.ts';

const ROOT = join(import.meta.dirname, '../..');
/** A file's absolute path in Vite's notation. */
const FS = `/@fs/${ROOT.split(/[\\/]/).filter(Boolean).map(encodeURIComponent).join('/')}`;
let parts: Awaited<ReturnType<typeof startParts>>;
let gateway: ChildProcess;
let url: string;
beforeAll(async () => {
  parts = await startParts();
  const free = await listen(() => undefined);
  await free.close();
  url = free.url;
  const env = { ...process.env, NODE_ENV: 'development', PORT: new URL(url).port, QUERY_URL: parts.urls.query };
  gateway = spawn(process.execPath, [join(ROOT, 'client/server/main.ts')], { env, stdio: 'ignore' });
  await until('it answers', async () => (await ask(url, 'GET /healthz')).status === 200);
});
afterAll(async () => {
  gateway.kill();
  await once(gateway, 'close');
  await parts.close();
});

/** The answer to an upgrade request, on a connection that the server is asked to close. */
const offer = (path: string, protocol: string, ...headers: string[]) =>
  send(url, [`GET ${path} HTTP/1.1`, 'Host: localhost', `Upgrade: ${protocol}`, ...headers, '', ''].join('\r\n'));
const websocket = [
  'Connection: Upgrade, close',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  'Sec-WebSocket-Version: 13',
];

test('an upgrade to another protocol is answered in HTTP/1.1', async () => {
  const h2c = ['Connection: Upgrade, HTTP2-Settings, close', 'HTTP2-Settings: AAMAAABkAAQAAP__'];
  expect(await offer('/posts', 'h2c', ...h2c)).toMatch(/^HTTP\/1\.1 200 OK\r\n[\s\S]*query$/);
  expect(await offer('/posts', 'websocket', ...websocket)).toMatch(/^HTTP\/1\.1 200 OK\r\n[\s\S]*query$/);
  expect(await offer('/', 'websocket', ...websocket)).toMatch(/^HTTP\/1\.1 200 OK\r\n[\s\S]*<title>/);
});

test.each([
  ['evil.example', 403],
  ['127.0.0.1.evil.example', 403],
  ['host.containers.internal', 200],
])('by the name %s the page and its sources are %i', async (host, status) => {
  for (const path of ['/', '/src/main.tsx']) expect((await ask(url, `GET ${path}`, { host })).status).toBe(status);
});

test("Vite's own socket is opened", async () => {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/`, 'vite-hmr');
  const opened = await new Promise((resolve, reject) => {
    socket.onmessage = ({ data }) => resolve(JSON.parse(data));
    socket.onerror = reject;
  });
  expect(opened).toEqual({ type: 'connected' });
  socket.close();
});

test.each(['/src/main.tsx', '/@vite/client', '/@react-refresh', '/icon.svg', '/docs', `${FS}/client/src/main.tsx`])(
  'the page gets %s',
  async (path) => {
    expect((await ask(url, `GET ${path}`)).status).toBe(200);
  },
);

test.each([
  ['/__open-in-editor?file=src/main.tsx', 404],
  ['/server/main.ts', 404],
  ['/vite.config.ts', 404],
  ['/docs/openapi.yaml', 404],
  ['/@fs/etc/hosts', 403],
  [`${FS}/package.json`, 403],
  [`${FS}/package.json?import&raw`, 403],
  [`${FS}/client/%2e%2e/package.json`, 400],
])('%s does nothing and shows nothing', async (path, status) => {
  expect((await ask(url, `GET ${path}`)).status).toBe(status);
});
