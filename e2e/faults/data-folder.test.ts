// A data folder in use is never deleted, replaced or used twice, by whatever path; and files that are not the blog's
// are never deleted.
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { lockData } from '../../common/src/run/data.ts';
import { freePorts } from '../../scripts/lib/port-use.ts';
import { get, post, until } from '../lib/http.ts';
import { canProtect, setWritable } from '../lib/protect.ts';
import { runScript } from '../lib/script.ts';
import { startProcess } from '../lib/system.ts';

let folder: string;
let data: string;
const ending: (() => Promise<unknown>)[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'blog data '));
  data = join(folder, 'data');
});
afterEach(async () => {
  for (const end of ending.splice(0)) await end();
  rmSync(folder, { recursive: true, force: true });
});

/** Runs a script in an empty folder. */
function run(script: string, args: string[], env: NodeJS.ProcessEnv = {}) {
  const cwd = join(folder, 'elsewhere');
  mkdirSync(cwd, { recursive: true });
  return runScript(`scripts/${script}.ts`, args, { cwd, env: { ...process.env, ...env } });
}

async function startByHand(name: string, DATA_DIR = data) {
  const [port = 0, noBus] = await freePorts(2);
  const settings = { PORT: String(port), DATA_DIR, EVENT_BUS_URL: `http://127.0.0.1:${noBus}` };
  const running = await startProcess(join(name, 'src', 'main.ts'), settings);
  ending.push(running.stop);
  return { ...running, url: `http://127.0.0.1:${port}` };
}

describe('while a part that was started by hand has it open', () => {
  test('nothing is reset or restored, even through a link and with another TMPDIR', async () => {
    const posts = await startByHand('posts');
    const link = join(folder, 'link');
    symlinkSync(data, link, 'junction');
    const elsewhere = { TMPDIR: folder, TEMP: folder, TMP: folder };
    for (const [script, ...args] of [['data/reset'], ['data/restore', folder]] as const) {
      const refused = await run(script, [...args, '--data', link], elsewhere);
      expect(refused).toEqual({ code: 1, output: expect.stringContaining('A part that was started by hand') });
    }
    const { status, body } = await post(`${posts.url}/posts`, { title: 'kept' });
    expect(status).toBe(201);
    await posts.stop();
    await startByHand('posts').then(async ({ url }) => {
      expect(Object.keys((await get(`${url}/posts`)).body)).toEqual([body.id]);
    });
  });

  test('it is free as soon as that process is dead, even by kill -9', async () => {
    const posts = await startByHand('posts');
    process.kill(posts.pid, 'SIGKILL');
    await until('reset', async () => (await run('data/reset', ['--data', data])).code === 0);
    expect(existsSync(data)).toBe(false);
  });

  test('another part may use it too', async () => {
    await startByHand('posts');
    const { url } = await startByHand('comments');
    expect((await get(`${url}/healthz`)).status).toBe(200);
  });
});

test('a server that is started while data is being replaced ends with one line', async () => {
  const lock = lockData(data, 'replace');
  await expect(startByHand('posts')).rejects.toThrow(
    /ended\n.*data is being reset or restored: start posts when .*\n$/,
  );
  expect(readdirSync(data)).toEqual(['blog.lock']);
  lock?.close();
  await startByHand('posts');
});

test('writes after the folder was deleted are not acknowledged, and every part reports it', async () => {
  const posts = await startByHand('posts');
  const query = await startByHand('query');
  const bus = await startByHand('event-bus');
  const { body } = await post(`${posts.url}/posts`, { title: 'stored' });
  rmSync(data, { recursive: true });
  for (const { url } of [posts, query, bus]) {
    const { body } = await get(`${url}/readyz`);
    expect(body.degraded.join()).toContain('was deleted or replaced');
  }
  expect((await get(`${bus.url}/log/verify`)).status).toBe(503);
  // By then the path leads to another database.
  const again = await startByHand('posts');
  expect((await post(`${posts.url}/posts`, { title: 'lost' })).status).toBe(503);
  expect((await post(`${bus.url}/events`, { type: 'Lost', data: {} })).status).toBe(503);
  expect(Object.keys((await get(`${posts.url}/posts`)).body)).toEqual([body.id]);
  expect((await post(`${again.url}/posts`, { title: 'stored' })).status).toBe(201);
});

// On Windows a folder's permission bits do not decide what a process may do in it.
const canDeny = process.platform !== 'win32' && canProtect(tmpdir());
(canDeny ? test : test.skip)(
  'data that cannot be written is reported in one line, with the path and the owner',
  async () => {
    mkdirSync(data);
    const file = join(data, 'query.db');
    writeFileSync(file, '');
    const told = (path: string) =>
      new RegExp(`^.*cannot .*: E[A-Z]+: .*${path}'; it belongs to user ${process.getuid?.()}.*\n$`);
    for (const path of [data, file]) {
      setWritable(path, false);
      try {
        expect(await run('run/start', ['--data', data])).toEqual({
          code: 1,
          output: expect.stringMatching(told(path)),
        });
      } finally {
        setWritable(path, true);
      }
    }
    setWritable(data, false);
    const nowhere = join(data, 'not', 'there');
    try {
      for (const folder of [data, nowhere])
        await expect(startByHand('posts', folder)).rejects.toThrow(new RegExp(`ended\n${told(data).source.slice(1)}`));
    } finally {
      setWritable(data, true);
    }
  },
);

describe('npm run reset', () => {
  test('deletes no folder that has the name of a database', async () => {
    const notes = join(data, 'posts.db', 'notes.txt');
    mkdirSync(join(data, 'posts.db'), { recursive: true });
    writeFileSync(notes, 'not of the blog');
    expect(await run('data/reset', ['--data', data])).toMatchObject({
      code: 1,
      output: expect.stringContaining('posts.db'),
    });
    expect(existsSync(notes)).toBe(true);
  });

  test("deletes the blog's files, and names the others", async () => {
    const posts = await startByHand('posts');
    process.kill(posts.pid, 'SIGKILL'); // its write-ahead log stays
    mkdirSync(join(data, 'copies'));
    for (const file of ['notes.txt', 'other.db', join('copies', 'posts.db')]) writeFileSync(join(data, file), '');
    mkdirSync(join(data, 'restore.partial-a1b2c3'));
    await until('posts is dead', async () => (await run('data/reset', ['--data', data])).code === 0);
    expect(readdirSync(data).sort()).toEqual(['copies', 'notes.txt', 'other.db']);
    expect(readdirSync(join(data, 'copies'))).toEqual(['posts.db']);
    expect((await run('data/reset', ['--data', data])).output).toContain('left there: copies, notes.txt, other.db.');
  });
});

test.each([
  ['data/reset'],
  ['run/start'],
  ['run/part', 'status'],
  ['data/backup', 'copies'],
  ['data/restore', 'copies'],
])('%s refuses an empty --data: the current folder is not what is meant', async (script, ...args) => {
  writeFileSync(join(folder, 'precious'), '');
  const refused = await run(script, [...args, '--data', '']);
  expect(refused).toEqual({ code: 2, output: expect.stringContaining('--data is empty') });
  expect(readdirSync(join(folder, 'elsewhere'))).toEqual([]);
});
