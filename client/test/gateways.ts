// Starts either gateway, with fake parts behind it. Without nginx its tests are skipped; with REQUIRE_NGINX set they
// fail.
import { spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type RequestListener, request } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { SERVERS, type Server } from '@blog/common/run/parts.ts';
import { describe } from '@jest/globals';
import { until } from '../../e2e/lib/http.ts';
import { freePorts } from '../../scripts/lib/port-use.ts';

const CLIENT = join(import.meta.dirname, '..');
export const SCRIPT = join(CLIENT, 'nginx.sh');
export const CONF = join(CLIENT, 'nginx.conf');

export const PAGE = '<!doctype html><title>the page</title>';
export const ASSET = `/* ${'long enough to be compressed '.repeat(50)}*/`;

type Seen = { part: Server; line: string; headers: IncomingMessage['headers']; body: string };
export type Urls = Record<Server, string>;
export type Gateway = { url: string; close: () => Promise<unknown> };

/** Listens on loopback; `port` 0 picks a free one. */
export async function listen(listener: RequestListener, port = 0, host = '127.0.0.1') {
  const server = createServer();
  server.on('request', listener);
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, host, resolve));
  const close = () =>
    new Promise((resolve) => {
      server.close(resolve);
      server.closeAllConnections();
    });
  const at = host.includes(':') ? `[${host}]` : host;
  return { url: `http://${at}:${(server.address() as AddressInfo).port}`, close, isOpen: () => server.listening };
}

/** Five fake parts that record requests, and answer with their name or as `handle` does. */
export async function startParts() {
  const parts = {
    urls: {} as Urls,
    seen: [] as Seen[],
    handle: undefined as RequestListener | undefined,
    /** Stops one part, until the next reset. */
    stop: async (part: Server) => servers[SERVERS.indexOf(part)]?.close(),
    async restart() {
      for (const [i, part] of SERVERS.entries()) {
        const port = Number(new URL(parts.urls[part]).port);
        if (!servers[i]?.isOpen()) servers[i] = await listen(answer(part), port);
      }
    },
    async reset() {
      await parts.restart();
      parts.seen = [];
      parts.handle = undefined;
    },
    close: () => Promise.all(servers.map((server) => server.close())),
  };
  const answer =
    (part: Server): RequestListener =>
    async (req, res) => {
      let body = '';
      for await (const chunk of req) body += chunk;
      parts.seen.push({ part, line: `${req.method} ${req.url}`, headers: req.headers, body });
      if (parts.handle) parts.handle(req, res);
      else res.end(part);
    };
  const servers = await Promise.all(SERVERS.map((part) => listen(answer(part))));
  for (const [i, part] of SERVERS.entries()) parts.urls[part] = servers[i]?.url ?? '';
  return parts;
}

/** A folder with a built page, readable by all users: nginx, started by root, runs its workers as another user. */
function makeFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'gateway-'));
  chmodSync(folder, 0o755);
  mkdirSync(join(folder, 'page/assets'), { recursive: true });
  writeFileSync(join(folder, 'page/index.html'), PAGE);
  writeFileSync(join(folder, 'page/icon.svg'), '<svg xmlns="http://www.w3.org/2000/svg"/>');
  writeFileSync(join(folder, 'page/assets/index-abc.js'), ASSET);
  return folder;
}

/** Serves a built page, as `npm start -- --production` does. */
const PREVIEW = `
  import { preview } from 'vite';
  const [, root, configFile] = process.argv;
  await preview({ root, configFile, configLoader: 'native', build: { outDir: 'page' } });`;

/** Starts Vite's preview with the gateway before it. */
export const startVite = (urls: Urls, settings: NodeJS.ProcessEnv = {}) =>
  start(
    (folder) => [process.execPath, '--input-type=module', '--eval', PREVIEW, folder, join(CLIENT, 'vite.config.ts')],
    { ...settingsFor(urls, settings), NODE_ENV: 'production' },
  );

/** Finds nginx: NGINX if set, else on the PATH or where systems keep it outside of the PATH. */
function findNginx(): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin', '/opt/homebrew/bin'];
  return process.env.NGINX || folders.map((folder) => join(folder, 'nginx')).find(existsSync);
}
const nginx = findNginx();

/** Jest's `describe`, skipped without nginx. */
export const describeNginx = nginx || process.env.REQUIRE_NGINX ? describe : describe.skip;

/** Starts nginx with the production configuration. The process is nginx itself, because the script execs it. */
export function startNginx(urls: Urls, settings: NodeJS.ProcessEnv = {}, resolvConf = '/dev/null') {
  if (!nginx) throw new Error('REQUIRE_NGINX is set, but no nginx was found: install it, or set NGINX to its path.');
  return start(() => ['sh', SCRIPT, CONF, resolvConf], { VERSION: '1.0.0', ...settingsFor(urls, settings) });
}

/** The environment of either gateway, with these settings. */
export const settingsFor = (urls: Urls, settings: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv => ({
  PATH: `${dirname(nginx ?? '')}${delimiter}${process.env.PATH}`,
  HOST: '127.0.0.1',
  POSTS_URL: urls.posts,
  COMMENTS_URL: urls.comments,
  QUERY_URL: urls.query,
  MODERATION_URL: urls.moderation,
  EVENT_BUS_URL: urls['event-bus'],
  RESOLVER: '127.0.0.1:9',
  ...settings,
});

/** Starts a gateway on a free port, with a folder of its own, and waits until it answers. */
export async function start(command: (folder: string) => string[], env: NodeJS.ProcessEnv) {
  const [port] = await freePorts(1);
  const url = `http://127.0.0.1:${port}`;
  const folder = makeFolder();
  const read = (name: string) => readFileSync(join(folder, name), 'utf8');
  const [program = '', ...args] = command(folder);
  const child = spawn(program, args, {
    cwd: CLIENT,
    env: { ...env, PORT: `${port}`, PAGE_DIR: join(folder, 'page'), TMPDIR: folder },
    // Files, because nginx reopens /dev/stdout, which fails for Node's pipes (they are sockets).
    stdio: ['ignore', openSync(join(folder, 'stdout'), 'a'), openSync(join(folder, 'stderr'), 'a')],
  });
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
  await until('it answers', async () => {
    if (child.exitCode !== null) return true;
    return (await ask(url, 'GET /healthz')).status === 200;
  });
  if (child.exitCode !== null) throw new Error(`The gateway ended: ${read('stderr')}`);
  return {
    url,
    pid: child.pid,
    ended,
    log: () => read('stdout'),
    errors: () => read('stderr'),
    conf: () => read('gateway/nginx.conf'),
    kill: (signal: NodeJS.Signals) => child.kill(signal),
    async close() {
      child.kill();
      await ended;
      rmSync(folder, { recursive: true });
    },
  };
}

type Answer = { status?: number; headers: IncomingMessage['headers']; raw: string[]; text: string };

/** Sends the request line unchanged; fetch would normalize the path. */
export function ask(base: string, line: string, headers: Record<string, string> = {}, body?: string): Promise<Answer> {
  const [method, path] = line.split(' ');
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(base);
    const host = hostname.replace(/^\[|\]$/g, '');
    const sent = request({ hostname: host, port, method, path, headers, agent: false }, async (res) => {
      try {
        let text = '';
        for await (const chunk of res) text += chunk;
        resolve({ status: res.statusCode, headers: res.headers, raw: res.rawHeaders, text });
      } catch (error) {
        reject(error);
      }
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

/** Sends raw bytes that no client library would, and resolves to the answer once the connection was closed. */
export function send(base: string, text: string): Promise<string> {
  const { hostname, port } = new URL(base);
  return new Promise((resolve, reject) => {
    let answer = '';
    const socket = connect(Number(port), hostname, () => socket.write(text));
    socket.setEncoding('utf8').on('data', (chunk) => {
      answer += chunk;
    });
    socket.on('error', reject).on('close', () => resolve(answer));
  });
}
