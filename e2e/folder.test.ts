// The whole blog in a folder whose name is full of what patterns and URLs give a meaning.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect } from '@jest/globals';
import { partNames } from '../scripts/parts.ts';
import { launch, test } from './browser.ts';
import { until } from './http.ts';
import { freePorts } from './system.ts';
import { copyRepository, openTerminal } from './terminal.ts';

const copy = { folder: '', remove: () => {} };

beforeAll(() => void Object.assign(copy, copyRepository("[Udemy] 100%20 {bl,ög} (it's)")));
afterAll(() => copy.remove());

test('the page is shown from a folder of any name, and follows edits of the page and of a service', async () => {
  const numbers = await freePorts(partNames.length);
  const ports = partNames.flatMap((name, i) => ['--port', `${name}=${numbers[i]}`]).join(' ');
  const terminal = openTerminal(copy.folder);
  const browser = await launch();
  const edit = (file: string, from: string, to: string) => {
    const path = join(copy.folder, file);
    const source = readFileSync(path, 'utf8');
    expect(source).toContain(from);
    writeFileSync(path, source.replace(from, to));
  };
  try {
    const { since } = await terminal.type(`'${process.execPath}' scripts/start.ts ${ports} &`);
    await until('ready', () => since().includes('Ready after'));
    const page = await browser.newPage();
    await page.goto(`http://localhost:${numbers[partNames.indexOf('client')]}`);
    await page.locator('.connection[data-state=live]').waitFor();
    edit('client/src/app.tsx', '<main', '<main data-edited');
    await page.locator('main[data-edited]').waitFor();
    edit('posts/src/main.ts', "'posts'", "'posts' ");
    await until('posts starts again', () => since().includes('posts      | edited, starts again'));
    edit('common/src/events.ts', 'export', 'export ');
    await until('all start again', () => partNames.every((name) => new RegExp(`${name} +. edited`).test(since())));
    await terminal.interrupt();
    expect(since()).not.toMatch(/ERROR|did not|Failed/);
  } finally {
    await browser.close();
    await terminal.close();
  }
});
