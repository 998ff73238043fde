// Copies found by the system's own DNS: real processes, and a hosts file that only the bus sees. Needs mount namespaces (Linux).

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import request from 'supertest';
import { freePorts } from '../../scripts/lib/port-use.ts';
import { until } from './bus.ts';

const root = resolve(import.meta.dirname, '../..');
const folder = mkdtempSync(join(tmpdir(), 'copies-'));
const running = new Set<ChildProcess>();
afterAll(async () => {
  for (const child of running) await kill(child);
  rmSync(folder, { recursive: true });
});

async function kill(child: ChildProcess): Promise<void> {
  running.delete(child);
  const ended = once(child, 'exit');
  if (child.kill('SIGKILL')) await ended;
}

function start(command: string, args: string[], env: Record<string, string>): ChildProcess {
  const child = spawn(command, args, { env: { ...process.env, LOG_LEVEL: 'silent', ...env }, stdio: 'ignore' });
  running.add(child);
  return child;
}

const inHosts = (...lines: string[]) =>
  writeFileSync(join(folder, 'hosts'), ['127.0.0.1 localhost', ...lines, ''].join('\n'));

const MOUNT = 'mount --bind "$0/hosts" /etc/hosts && mount --bind "$0/nsswitch.conf" /etc/nsswitch.conf && exec "$@"';
inHosts();
// No other source than the hosts file: what is not in it does not exist.
writeFileSync(join(folder, 'nsswitch.conf'), 'hosts: files\n');
const inNamespace = ['-m', 'bash', '-c', MOUNT, folder];
const canMount = spawnSync('unshare', [...inNamespace, 'true']).status === 0;

(canMount ? test : test.skip)(
  'a copy that is killed and removed is gone, goes on at another address, and is forgotten',
  async () => {
    const [port, own] = await freePorts(2);
    const startPosts = (name: string, HOST: string) =>
      start(process.execPath, [join(root, 'posts/src/main.ts')], {
        ...{ HOST, PORT: `${port}`, COPY_NAME: name, DATA_DIR: join(folder, name) },
        ...{ ALLOWED_HOSTS: 'posts-0.posts,posts-1.posts', EVENT_BUS_URL: `http://localhost:${own}` },
      });
    inHosts('127.0.0.2 posts-0.posts', '127.0.0.3 posts-1.posts');
    const first = startPosts('posts-0', '127.0.0.2');
    const second = startPosts('posts-1', '127.0.0.3');
    start('unshare', [...inNamespace, process.execPath, join(root, 'event-bus/src/main.ts')], {
      ...{ HOST: 'localhost', PORT: `${own}`, DATA_DIR: join(folder, 'bus') },
      SUBSCRIPTIONS: `posts-*=http://posts-*.posts:${port}/events`,
    });
    const bus = request(`http://127.0.0.1:${own}`);
    const becomes = (expected: string[]) =>
      until(async () => {
        const { body } = await bus.get('/subscriptions').expect(200);
        const states = body.map((one: Record<string, unknown>) => `${one.name} ${one.state} at ${one.position}`);
        expect(states).toEqual(expected);
      });
    const post = (host: string) =>
      request(`http://${host}:${port}`).post('/posts').send({ title: 'Hello' }).expect(201);
    await becomes(['posts-0 live at 0', 'posts-1 live at 0']);
    await post('127.0.0.3');
    await becomes(['posts-0 live at 1', 'posts-1 live at 1']);

    await kill(second);
    inHosts('127.0.0.2 posts-0.posts');
    await becomes(['posts-0 live at 1', 'posts-1 gone at 1']);
    await post('127.0.0.2');
    await becomes(['posts-0 live at 2', 'posts-1 gone at 1']);
    startPosts('posts-1', '127.0.0.4');
    inHosts('127.0.0.2 posts-0.posts', '127.0.0.4 posts-1.posts');
    await becomes(['posts-0 live at 2', 'posts-1 live at 2']);

    await bus.delete('/subscriptions/posts-0').expect(409);
    await kill(first);
    inHosts('127.0.0.4 posts-1.posts');
    await becomes(['posts-0 gone at 2', 'posts-1 live at 2']);
    await bus.delete('/subscriptions/posts-0').expect(204);
    await becomes(['posts-1 live at 2']);
  },
);
