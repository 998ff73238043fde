// `npm run dev -w posts`: one server alone, by nodemon, as the classic version runs each of its services.
import { type ChildProcess, spawn } from 'node:child_process';
import { appendFileSync, cpSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from '@jest/globals';
import { root } from '../lib/part-process.ts';
import { freePorts } from '../lib/port-use.ts';
import { until } from '../lib/until.ts';

let folder: string;
let child: ChildProcess;
afterEach(() => {
  process.kill(-(child.pid as number), 'SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

// A group of its own is what makes it possible to end all of npm, nodemon and the server.
(process.platform === 'win32' ? test.skip : test)('an edit of its sources starts it again', async () => {
  folder = mkdtempSync(join(tmpdir(), 'blog-dev-'));
  for (const part of ['posts', 'common']) cpSync(join(root, part), join(folder, part), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  const [port] = await freePorts(1);
  let said = '';
  child = spawn('npm', ['run', 'dev'], {
    cwd: join(folder, 'posts'),
    env: { ...process.env, PORT: String(port), DATA_DIR: join(folder, 'data') },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (text) => (said += text));
  const starts = () => said.match(/starting `/g)?.length ?? 0;
  const isReady = async () => (await fetch(`http://127.0.0.1:${port}/healthz`)).ok;
  await until('it listens', isReady).catch((error) => expect(`${error}\n${said}`).toBe(''));
  appendFileSync(join(folder, 'posts', 'src', 'posts.ts'), '\n// edited\n');
  await until('it starts again', () => starts() === 2).catch((error) => expect(`${error}\n${said}`).toBe(''));
  await until('it listens again', isReady);
});
