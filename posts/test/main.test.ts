// The process of a service: start, settings, graceful shutdown.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { connect, createServer, type Server } from 'node:net';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { text } from 'node:stream/consumers';
import { openDatabase } from '@blog/common/core/database.ts';
import { afterAll, afterEach, beforeEach, expect, test } from '@jest/globals';
import request from 'supertest';
import { defined, NO_BUS, newFolder, removeFolders, Service, until } from '../../common/test/service.ts';
import { eventBus } from '../../event-bus/src/app.ts';
import { freePorts } from '../../scripts/lib/port-use.ts';
import { migrations } from '../src/schema.ts';

const main = join(import.meta.dirname, '../src/main.ts');

let folder: string;
let children: ChildProcess[];
beforeEach(() => {
  folder = newFolder();
  children = [];
});
afterEach(() => {
  for (const child of children) child.kill('SIGKILL');
});
afterAll(removeFolders);

/** Takes a free port until it is closed. */
async function take(host = '127.0.0.1'): Promise<{ holder: Server; port: number }> {
  const [port = 0] = await freePorts(1);
  const holder = createServer().listen(port, host);
  await once(holder, 'listening');
  return { holder, port };
}

function start(settings: NodeJS.ProcessEnv) {
  const env = { ...process.env, DATA_DIR: folder, EVENT_BUS_URL: NO_BUS, ...settings };
  const child = spawn(process.execPath, [main], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  children.push(child);
  const said = { out: '' };
  child.stdout.on('data', (chunk) => {
    said.out += chunk;
  });
  const exit = once(child, 'exit').then(([code]) => code as number);
  return { child, said, errors: text(child.stderr), exit };
}

test.each([
  ['PORT', 'abc'],
  ['PORT', '70000'],
  ['EVENT_BUS_URL', 'event-bus:4005'],
  ['LOG_LEVEL', 'loud'],
  ['FAILPOINT', 'nowhere'],
  ['CORS_ORIGINS', 'blog.example'],
  ['CORS_ORIGINS', 'https://blog.example/'],
  ['ALLOWED_HOSTS', 'http://posts.com'],
  ['COPY_NAME', 'posts 1'],
])('a wrong setting (%s=%s) is named, and ends the process with exit code 78', async (name, value) => {
  const { errors, exit } = start({ [name]: value });
  expect(await exit).toBe(78);
  expect(await errors).toMatch(new RegExp(`^Invalid setting ${name}: .+\\n$`));
});

test.each(['0123456789abcde', '0123456789abcde f', '0123456789abcdeé', 'x'.repeat(257)])(
  'a wrong token (%s) ends the process, too, and is not printed',
  async (token) => {
    const { errors, said, exit } = start({ BUS_TOKEN: token });
    expect(await exit).toBe(78);
    expect(await errors).toBe('Invalid setting BUS_TOKEN: must be 16 to 256 visible ASCII characters\n');
    expect(said.out).toBe('');
  },
);

test.each(['HOST', 'DATA_DIR', 'EVENT_BUS_URL'])('%s has no default in production', async (name) => {
  const { exit, errors } = start({ NODE_ENV: 'production', HOST: '127.0.0.1', PORT: '1', [name]: '' });
  expect(await exit).toBe(78);
  expect(await errors).toBe(`Invalid setting ${name}: must be given\n`);
});

test('an empty DATA_DIR is refused, so that data is not written to an accidental folder', async () => {
  const { exit, errors } = start({ DATA_DIR: '' });
  expect(await exit).toBe(78);
  expect(await errors).toBe('Invalid setting DATA_DIR: must be given\n');
});

test('an empty setting counts as not set', async () => {
  const { holder, port } = await take();
  holder.close();
  const { said } = start({ PORT: String(port), LOG_LEVEL: '', CORS_ORIGINS: '' });
  await until(() => said.out.includes('listening'));
});

test('after events were missed it is ready once it has them; while the bus is away, with what it has', async () => {
  const { holder, port } = await take();
  holder.close();
  const settings = { SUBSCRIPTIONS: `posts=http://127.0.0.1:${port}/events` };
  const bus = await new Service(defined(eventBus, settings), '', newFolder()).open();
  const posts = request(`http://127.0.0.1:${port}`);
  const answers = async (status: number) => (await posts.get('/readyz').catch(() => undefined))?.status === status;
  const restart = async (EVENT_BUS_URL: string, status: number) => {
    children.at(-1)?.kill('SIGKILL');
    const { said } = start({ PORT: String(port), EVENT_BUS_URL });
    await until(() => said.out.includes('listening'));
    await until(() => answers(status));
  };
  await restart(bus.url, 200);
  await bus.http.post('/subscriptions/posts/pause').expect(200);
  await bus.push({ type: 'PostCreated', data: { id: 'missed' } }).expect(201);
  await restart(NO_BUS, 200);
  await restart(bus.url, 503);
  await bus.http.post('/subscriptions/posts/resume').expect(200);
  await until(() => answers(200));
  expect(Object.keys((await posts.get('/posts').expect(200)).body)).toEqual(['missed']);
  await bus.close();
});

test('on loopback it answers only to localhost; if other machines reach it, to any name', async () => {
  for (const [HOST, evil] of [
    ['127.0.0.1', 403],
    ['0.0.0.0', 201],
  ] as const) {
    const { holder, port } = await take();
    holder.close();
    const { said } = start({ HOST, PORT: String(port), DATA_DIR: newFolder() });
    await until(() => said.out.includes('listening'));
    const posts = request(`http://127.0.0.1:${port}`);
    await posts.post('/posts').set('Host', `localhost:${port}`).send({ title: 'mine' }).expect(201);
    await posts.post('/posts').set('Host', 'evil.example').send({ title: 'theirs' }).expect(evil);
    const { body } = await posts.get('/posts').expect(200);
    expect(Object.keys(body)).toHaveLength(evil === 403 ? 1 : 2);
  }
});

/** Jest's `test`, skipped on machines without IPv6. */
const onIpv6 = Object.values(networkInterfaces()).some((list) => list?.some(({ address }) => address === '::1'))
  ? test
  : test.skip;
onIpv6('on loopback it listens on both addresses of localhost, and ends if either is taken', async () => {
  for (const HOST of ['localhost', '127.0.0.1', '::1']) {
    const { holder, port } = await take();
    holder.close();
    const { child, said, exit } = start({ HOST, PORT: String(port), DATA_DIR: newFolder() });
    await until(() => said.out.includes('listening'));
    for (const address of ['127.0.0.1', '[::1]']) {
      expect((await fetch(`http://${address}:${port}/healthz`)).status).toBe(200);
    }
    child.kill();
    await exit;
  }
  const { holder, port } = await take('::1');
  const { errors, exit } = start({ PORT: String(port) });
  expect(await exit).toBe(1);
  expect(await errors).toBe(`Port ${port} is already in use.\n`);
  holder.close();
});

test('a port that is taken ends the process with one line and exit code 1', async () => {
  const { holder, port } = await take();
  const { errors, exit } = start({ PORT: String(port) });
  expect(await exit).toBe(1);
  expect(await errors).toBe(`Port ${port} is already in use.\n`);
  holder.close();
});

// Windows has no signals: there the runner stops a part in another way.
const onPosix = process.platform === 'win32' ? test.skip : test;
onPosix('at SIGTERM a request in flight is answered, no new one accepted, and the exit code is 0', async () => {
  const { holder, port } = await take();
  holder.close();
  const { child, said, exit, errors } = start({ PORT: String(port) });
  await until(() => said.out.includes('listening'));
  const socket = connect(port, '127.0.0.1').setEncoding('utf8');
  const answer = text(socket);
  const head = [
    'POST /posts HTTP/1.1',
    'Host: localhost',
    'Content-Type: application/json',
    'Content-Length: 19',
    'Expect: 100-continue',
  ];
  socket.write(`${head.join('\r\n')}\r\n\r\n`);
  // The server has received the request when it asks for its body.
  await once(socket, 'readable');
  child.kill('SIGTERM');
  await until(() => said.out.includes('stopping'));
  await expect(fetch(`http://127.0.0.1:${port}/healthz`)).rejects.toThrow();
  socket.write('{"title":"in time"}');
  expect(await answer).toMatch(/HTTP\/1.1 201 Created/);
  expect(await exit).toBe(0);
  expect(await errors).toBe('');
  const db = new DatabaseSync(join(folder, 'posts.db'), { readOnly: true });
  expect(db.prepare('SELECT title FROM posts').all()).toMatchObject([{ title: 'in time' }]);
  db.close();
});

onPosix('at SIGTERM an answer to a slow reader is completed', async () => {
  const { holder, port } = await take();
  holder.close();
  const posts = 200; // as many as fit into one answer, which is limited in characters; the socket counts bytes
  const db = openDatabase(join(folder, 'posts.db'), migrations);
  const title = '中'.repeat(10_000);
  await db.write((tx) => {
    for (let i = 0; i < posts; i++) {
      tx.run('INSERT INTO posts (id, title, event) VALUES (?, ?, ?)', `post-${i}`, title, '{}');
    }
  });
  await db.close();
  const { child, said, exit } = start({ PORT: String(port) });
  await until(() => said.out.includes('listening'));
  const socket = connect(port, '127.0.0.1').setEncoding('utf8');
  socket.write('GET /posts HTTP/1.1\r\nHost: localhost\r\n\r\n');
  await once(socket, 'readable');
  child.kill('SIGTERM');
  await until(() => said.out.includes('stopping'));
  const [, body = ''] = (await text(socket)).split('\r\n\r\n');
  expect(Object.keys(JSON.parse(body))).toHaveLength(posts);
  expect(await exit).toBe(0);
});

onPosix('at SIGTERM acknowledged events are still published', async () => {
  const published: string[] = [];
  const bus = createHttpServer(async (req, res) => {
    const events = [JSON.parse((await text(req)) || '[]')].flat();
    // Slow, so that most events are still in the outbox when the signal comes.
    setTimeout(() => {
      published.push(...events.map(({ data }) => data.title));
      const positions = events.map((_, i) => i + 1);
      res.writeHead(201).end(JSON.stringify({ position: 1, positions }));
    }, 200);
  }).listen(0, '127.0.0.1');
  await once(bus, 'listening');
  const { holder, port } = await take();
  holder.close();
  const busUrl = `http://127.0.0.1:${(bus.address() as { port: number }).port}`;
  try {
    const { child, said, exit } = start({ PORT: String(port), EVENT_BUS_URL: busUrl });
    await until(() => said.out.includes('listening'));
    const titles = ['one', 'two', 'three'];
    for (const title of titles) {
      const headers = { 'content-type': 'application/json' };
      const body = JSON.stringify({ title });
      expect((await fetch(`http://127.0.0.1:${port}/posts`, { method: 'POST', headers, body })).status).toBe(201);
    }
    child.kill('SIGTERM');
    expect(await exit).toBe(0);
    expect(published).toEqual(titles);
  } finally {
    bus.close();
  }
});
