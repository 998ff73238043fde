// The whole blog on unusual machines: in a folder whose name is special in patterns and URLs, and at a system limit.
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test as jestTest } from '@jest/globals';
import { PARTS } from '../common/src/run/parts.ts';
import { freePorts } from '../scripts/lib/port-use.ts';
import { test } from './browser.ts';
import { launch, PATIENCE } from './lib/chromium.ts';
import { get, until } from './lib/http.ts';
import { copyRepository, openTerminal } from './lib/terminal.ts';

const copy = { folder: '', remove: () => {} };

beforeAll(() => void Object.assign(copy, copyRepository("[Udemy] 100%20 {bl,ög} (it's)")));
afterAll(() => copy.remove());

const ports = async () => {
  const numbers = await freePorts(PARTS.length);
  return {
    client: `http://localhost:${numbers[PARTS.indexOf('client')]}`,
    options: PARTS.flatMap((name, i) => ['--port', `${name}=${numbers[i]}`]).join(' '),
  };
};

test('the page is served from a folder of any name, and edits of the page and of a service become live', async () => {
  const { client, options } = await ports();
  const terminal = openTerminal(copy.folder);
  const browser = await launch();
  const edit = (file: string, from: string, to: string) => {
    const path = join(copy.folder, file);
    const source = readFileSync(path, 'utf8');
    expect(source).toContain(from);
    writeFileSync(path, source.replace(from, to));
  };
  try {
    const { since } = await terminal.type(`'${process.execPath}' scripts/run/start.ts ${options} &`);
    await until('ready', () => since().includes('Ready after'));
    const page = await browser.newPage();
    page.setDefaultTimeout(PATIENCE);
    await page.goto(client);
    await page.locator('.connection[data-state=live]').waitFor();
    edit('client/src/app.tsx', '<main', '<main data-edited');
    const edited = page.locator('main[data-edited]');
    // Saved again if it takes long: Vite serves the page before it watches all files, and before the page listens to it.
    await until('the edit is live', async () => {
      edit('client/src/app.tsx', '<main', '<main');
      return edited.waitFor({ timeout: 10_000 }).then(
        () => true,
        () => false,
      );
    });
    edit('posts/src/main.ts', '(posts)', '( posts)');
    await until('posts starts again', () => since().includes('posts      | edited, restarting'));
    edit('common/src/core/events.ts', 'export', 'export ');
    await until('all start again', () => PARTS.every((name) => new RegExp(`${name} +. edited`).test(since())));
    await terminal.interrupt();
    expect(since()).not.toMatch(/ERROR|did not|Failed/);
  } finally {
    await browser.close();
    await terminal.close();
  }
});

const NO_WATCHES = 'unshare -U -r sh -c \'echo 1 > /proc/sys/user/max_inotify_watches && exec "$0" "$@"\'';
const canLimit = spawnSync('sh', ['-c', `${NO_WATCHES} true`]).status === 0;

(canLimit ? jestTest : jestTest.skip)('at the limit of inotify the page is served, and one line says so', async () => {
  const { client, options } = await ports();
  const terminal = openTerminal(copy.folder);
  try {
    const { since } = await terminal.type(`${NO_WATCHES} '${process.execPath}' scripts/run/start.ts ${options} &`);
    await until('ready', () => since().includes('Ready after'));
    for (const path of ['/', '/src/main.tsx']) expect((await get(client + path)).status).toBe(200);
    await terminal.interrupt();
    const lines = since()
      .split('\n')
      .filter((line) => /inotify|ENOSPC/.test(line));
    expect(lines).toEqual([
      expect.stringMatching(/^Edits do not restart the parts: .*fs.inotify.max_user_watches/),
      expect.stringMatching(/^client +. Edits of the page are not noticed: raise fs.inotify.max_user_watches/),
    ]);
  } finally {
    await terminal.close();
  }
});
