// The blog itself in copies: writes through kills of copies, and its data with copies and without, in a backup, after a reset.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, expect, test } from '@jest/globals';
import { ask } from '../lib/control.ts';
import { freeLayout } from '../lib/copies.ts';
import { root } from '../lib/part-process.ts';
import { until } from '../lib/until.ts';

const folder = mkdtempSync(join(tmpdir(), 'blog copies '));
const data = join(folder, 'data');
const ports = await freeLayout(2);
const moved = Object.entries(ports).flatMap(([name, port]) => ['--port', `${name}=${port}`]);
const running = new Set<ReturnType<typeof run>>();

function run(script: string, args: string[]) {
  const child = spawn(process.execPath, [join(root, 'scripts', script), '--data', data, ...args], {
    // Without nats-server: the bus runs once.
    env: { ...process.env, NATS_SERVER: '', PATH: import.meta.dirname, NO_COLOR: '1', LOG_LEVEL: 'warn' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (output += text));
  const exited = new Promise<number | null>((resolve) => child.once('close', resolve));
  const started = { child, output: () => output, exited };
  running.add(started);
  exited.then(() => running.delete(started));
  return started;
}

async function finish(script: string, ...args: string[]): Promise<string> {
  const started = run(script, args);
  if ((await started.exited) !== 0) throw new Error(started.output());
  return started.output();
}

async function start(...args: string[]) {
  const runner = run('run/start.ts', [...moved, '--production', '--without', 'client', ...args]);
  await until('the greeting', () => runner.output().includes('Ctrl-C stops all'));
  return async () => {
    runner.child.kill('SIGINT');
    expect(await runner.exited).toBe(0);
  };
}

afterAll(async () => {
  for (const { child, exited } of [...running]) {
    child.kill('SIGTERM');
    await exited;
  }
  rmSync(folder, { recursive: true, force: true });
});

const url = (name: string, path: string) => `http://127.0.0.1:${ports[name]}${path}`;
const written: string[] = [];

/** Writes a post; sends it again with the same key until it is acknowledged. */
async function write(title: string): Promise<void> {
  const headers = { 'Content-Type': 'application/json', 'Idempotency-Key': title };
  const post = { method: 'POST', headers, body: JSON.stringify({ title }) };
  const { id } = await until(title, async () => {
    const answer = await fetch(url('posts', '/posts'), post);
    return answer.status === 201 && ((await answer.json()) as { id: string });
  });
  written.push(id);
}

/** Waits until the read model has all that was written, and nothing else, however often it is asked. */
const complete = () =>
  until('all posts are there, once', async () => {
    for (const _ of [1, 2, 3]) {
      const ids = Object.keys((await (await fetch(url('query', '/posts?limit=1000'))).json()) as object);
      if (JSON.stringify(ids.sort()) !== JSON.stringify(written.toSorted())) return false;
    }
    return true;
  });

const positions = (file: string, sql = 'SELECT max(position) AS n FROM events') => {
  const db = new DatabaseSync(file);
  try {
    return Number(db.prepare(sql).get()?.n);
  } finally {
    db.close();
  }
};

test('what is acknowledged while copies are killed is there once, with copies and without, and after a restore', async () => {
  const backup = join(folder, 'backup');
  let stop = await start('--copies', '2');
  const writers = [1, 2, 3, 4].map(async (writer) => {
    for (let n = 0; n < 25; n++) await write(`${writer}-${n}`);
  });
  for (const name of [
    'posts-0',
    'query-1',
    'comments-0',
    'event-bus',
    'moderation-1',
    'posts-1',
    'query-0',
    'balancer',
  ]) {
    expect(await ask(data, ['kill', name])).toMatchObject({ code: 0 });
    await until(`${name} is back`, async () =>
      new RegExp(`^${name} +ready`, 'm').test((await ask(data, ['status']))?.text ?? ''),
    );
  }
  await Promise.all(writers);
  await complete();
  expect(await finish('data/backup.ts', backup)).toContain('the log up to position 100');
  await stop();

  stop = await start();
  await complete();
  await write('without-copies');
  await complete();
  await stop();

  stop = await start('--copies', '2');
  await complete();
  await stop();

  mkdirSync(join(data, 'nats-0', 'jetstream', 'blog'), { recursive: true });
  // As in a backup of a bus on a quorum.
  const log = new DatabaseSync(join(backup, 'event-bus.db'));
  log.exec('UPDATE sealed SET seq = 5, position = 5');
  log.close();
  await finish('data/restore.ts', backup);
  expect(positions(join(data, 'event-bus.db'), 'SELECT seq AS n FROM sealed')).toBe(0);
  expect(readdirSync(join(data, 'copy-1'))).toEqual(['blog.lock']);
  expect(readdirSync(join(data, 'nats-0'))).toEqual([]);
  written.pop();
  stop = await start('--copies', '2');
  await complete();
  await stop();
});

test('a single bus goes on with the log of the copy that has most of it', async () => {
  const own = join(data, 'event-bus.db');
  const other = join(data, 'copy-1', 'event-bus.db');
  const db = new DatabaseSync(own);
  db.exec(`VACUUM INTO '${other}'; DELETE FROM events WHERE position > 90`);
  db.close();
  const stop = await start('--without', 'query');
  expect(positions(own)).toBe(100);
  await stop();
});

test('reset deletes the files of copies and nodes, and nothing else', async () => {
  mkdirSync(join(data, 'nats-1', 'jetstream', 'blog'), { recursive: true });
  writeFileSync(join(data, 'nats-1', 'nats.conf'), '');
  writeFileSync(join(data, 'copy-1', 'mine'), '');
  writeFileSync(join(data, 'auth.db'), '');
  expect(await finish('data/reset.ts')).toContain("Not the blog's, and left there: copy-1.");
  expect(readdirSync(data)).toEqual(['copy-1']);
  expect(readdirSync(join(data, 'copy-1'))).toEqual(['mine']);
  expect(existsSync(join(data, 'nats-1'))).toBe(false);
});
