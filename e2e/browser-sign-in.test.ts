// Sign-in in a real browser, with a real issuer: from a post that nobody may write yet to the end of the session. Then the
// lines of docs/sign-in.md, typed.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, expect, test as jestTest } from '@jest/globals';
import type { Browser, Page } from 'playwright-core';
import { SIGN_IN_PORTS } from '../common/src/run/parts.ts';
import { root } from '../scripts/lib/part-process.ts';
import { postOf, test } from './browser.ts';
import { accessibilityViolations } from './lib/axe.ts';
import { executablePath, launch, PATIENCE } from './lib/chromium.ts';
import { until } from './lib/http.ts';
import { type System, startSystem } from './lib/system.ts';
import { openTerminal } from './lib/terminal.ts';
import { alike, answerOf, movePorts, stepsOf } from './lib/typed.ts';

let system: System;
let browser: Browser;
let url: string;
/** The keys of all writes, in their order. */
let keys: (string | undefined)[];
let problems: string[];
beforeAll(async () => {
  system = await startSystem('--production', '--login');
  if (executablePath || process.env.REQUIRE_BROWSER) browser = await launch();
  url = `http://localhost:${system.portOf('client')}`;
});
afterAll(async () => {
  await browser?.close();
  await system?.stop();
});

/** A page in a browser of its own, as of another person. */
async function newPage(): Promise<Page> {
  const context = await browser.newContext();
  context.setDefaultTimeout(PATIENCE);
  return context.newPage();
}

async function openPage(): Promise<Page> {
  const page = await newPage();
  keys = [];
  problems = [];
  const origins = [url, `http://localhost:${system.portOf('issuer')}`];
  page.on('request', (request) => {
    if (!origins.includes(new URL(request.url()).origin)) problems.push(`another origin: ${request.url()}`);
    if (/\/(posts|comments)$/.test(request.url()) && request.method() === 'POST')
      keys.push(request.headers()['idempotency-key']);
  });
  page.on('pageerror', ({ message }) => problems.push(message));
  page.on('console', (message) => {
    // The browser itself logs an answer that is an error, such as a 401.
    const isAnswer = /^Failed to load resource: the server responded with a status of (401|503)/.test(message.text());
    if (['error', 'warning'].includes(message.type()) && !isAnswer) problems.push(message.text());
  });
  await page.goto(url);
  return page;
}

const asks = (page: Page) => page.locator('.waits', { hasText: 'Sign in to send it' });
const write = async (page: Page, title: string) => {
  await page.getByLabel('Title').fill(title);
  await page.getByRole('button', { name: 'Post', exact: true }).click();
};

async function signIn(page: Page, name: string): Promise<void> {
  await page.getByRole('heading', { name: 'Sign in to the blog' }).waitFor();
  await page.getByRole('button', { name }).click();
  await page.locator('.account', { hasText: name }).waitFor();
}

test('a post waits for the sign-in, has its author, and a session that ends loses nothing that was typed', async () => {
  const page = await openPage();
  await page.getByRole('navigation').waitFor();
  await write(page, 'Notes on the engine');
  await asks(page).getByRole('link', { name: 'Sign in' }).click();
  await page.getByRole('heading', { name: 'Sign in to the blog' }).waitFor();
  expect(await accessibilityViolations(page)).toEqual([]);
  await signIn(page, 'Ada Lovelace');
  const post = postOf(page, 'Notes on the engine');
  await post.getByText('by Ada Lovelace').waitFor();
  expect(keys).toEqual([keys[0], keys[0]]);
  expect(await accessibilityViolations(page)).toEqual([]);

  await system.quiet();
  const reader = await newPage();
  await reader.goto(url);
  await postOf(reader, 'Notes on the engine').getByText('by Ada Lovelace').waitFor();
  await reader.getByRole('link', { name: 'Sign in' }).waitFor();

  // The session expires while a comment is written.
  await post.getByRole('link', { name: 'Notes on the engine' }).click();
  const field = page.getByLabel('Your comment');
  await field.fill('It can do whatever we know how to order it to perform.');
  const db = new DatabaseSync(system.fileOf('auth'), { timeout: 5_000 });
  db.exec('UPDATE sessions SET expires = 0');
  db.close();
  await page.getByRole('button', { name: 'Comment', exact: true }).click();
  await asks(page).waitFor();
  expect(await field.inputValue()).toMatch(/^It can do/);
  await asks(page).getByRole('link', { name: 'Sign in' }).click();
  await signIn(page, 'Grace Hopper');
  expect(new URL(page.url()).pathname).toMatch(/^\/p\/./);
  await page.locator('.comment[data-status=approved]', { hasText: 'by Grace Hopper' }).waitFor();
  expect(keys).toEqual([keys[0], keys[0], keys[2], keys[2]]);
  expect(await field.inputValue()).toBe('');

  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.locator('.account').getByRole('link', { name: 'Sign in' }).waitFor();
  expect((await page.context().cookies(url)).map(({ name }) => name)).not.toContain('__Host-session');
  await write(page, 'Without a name');
  await asks(page).waitFor();
  expect(problems).toEqual([]);
});

test('while auth is away a signed-in page reads, and what it sends is stored when auth is back', async () => {
  const page = await openPage();
  await page.locator('.account').getByRole('link', { name: 'Sign in' }).click();
  await signIn(page, 'Ada Lovelace');
  await write(page, 'Written before');
  await postOf(page, 'Written before').waitFor();
  await system.quiet();
  await system.part('stop auth');
  await write(page, 'Written meanwhile');
  await page.locator('.waits', { hasText: 'The blog cannot store it at the moment' }).waitFor();
  await page.goto(url);
  await page.getByText('Sign-in is not available at the moment.').waitFor();
  await postOf(page, 'Written before').waitFor();
  await system.part('start auth');
  await postOf(page, 'Written meanwhile').getByText('by Ada Lovelace').waitFor();
  expect(new Set(keys).size).toBe(2);
  expect(problems).toEqual([]);
  await until('the name again', async () => (await page.locator('.account').textContent())?.includes('Ada Lovelace'));
});

jestTest('the lines of docs/sign-in.md, typed as printed, give the printed answers', async () => {
  const [, tryIt = ''] = readFileSync(join(root, 'docs', 'sign-in.md'), 'utf8').split(/^## Try it$/m);
  const steps = stepsOf(tryIt.split(/^## /m, 1)[0] as string);
  expect(steps.length).toBeGreaterThan(7);
  const moved = movePorts(system.ports, SIGN_IN_PORTS);
  const terminal = openTerminal(root);
  try {
    for (const { command, answer = '' } of steps) {
      const line = moved.there(command).replace(/npm run -s part --/, `$& --data "${system.dataDir}"`);
      const seen = await answerOf(terminal, line, alike(answer));
      expect({ command, answer: seen }).toEqual({ command, answer: alike(answer) });
    }
  } finally {
    await terminal.close();
  }
});
