// Runs a real browser with a whole blog. Without a browser these tests are skipped; with REQUIRE_BROWSER set they fail.
import { afterAll, afterEach, beforeAll, expect, test as jestTest } from '@jest/globals';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { freePorts } from '../scripts/lib/port-use.ts';
import { executablePath, launch, PATIENCE } from './lib/chromium.ts';
import { get, post, until } from './lib/http.ts';
import { type System, startSystem } from './lib/system.ts';

/** Jest's `test`, skipped without a browser. */
export const test = executablePath || process.env.REQUIRE_BROWSER ? jestTest : jestTest.skip;

/** Errors that the browser itself logs when a part does not answer, or a new read model does not have a post yet. */
const NETWORK =
  /^Failed to load resource: (net::ERR_|the server responded with a status of (404|503))|^EventSource's response/;

/**
 * Closes a reader's windows. A request that a route's handler still has in hand is dropped: without this the handler's
 * error would fail not only this test, but each one of its file.
 */
async function closeWindows(context: BrowserContext): Promise<void> {
  await Promise.all(context.pages().map((page) => page.unrouteAll({ behavior: 'ignoreErrors' })));
  await context.close();
}

/**
 * One blog and one browser for a test file. After each test its windows are closed; no error may have been logged, no
 * dialog opened, and no other origin requested. `partsGoAway`: requests may fail. `development`: the page may control
 * the bus, as under `npm start`. `options`: more of its options.
 */
export function openBlog({ partsGoAway = false, development = false, options = [] as string[] } = {}) {
  let system: System;
  let browser: Browser;
  const contexts: BrowserContext[] = [];
  const requests: string[] = [];
  let problems: string[] = [];

  beforeAll(async () => {
    browser = await launch();
    system = await startSystem(...(development ? [] : ['--production']), ...options);
  });
  afterEach(async () => {
    await Promise.all(contexts.splice(0).map(closeWindows));
    expect(blog.takeProblems()).toEqual([]);
  });
  afterAll(async () => {
    await browser?.close();
    await system?.stop();
  });

  function watch(page: Page): void {
    page.setDefaultTimeout(PATIENCE);
    page.on('pageerror', (error) => problems.push(`uncaught: ${error.message}`));
    page.on('dialog', (dialog) => {
      problems.push(`dialog: ${dialog.message()}`);
      void dialog.dismiss();
    });
    page.on('console', (message) => {
      if (message.type() !== 'error' && message.type() !== 'warning') return;
      if (!(partsGoAway && NETWORK.test(message.text()))) problems.push(`logged: ${message.text()}`);
    });
    page.on('request', (request) => {
      requests.push(request.url());
      if (new URL(request.url()).origin !== blog.url) problems.push(`another origin: ${request.url()}`);
    });
  }

  const blog = {
    get system() {
      return system;
    },
    get url() {
      return system.url('client');
    },
    /** All requests of the pages. */
    requests,
    watch,

    /** Returns and clears the problems so far, for a test that provokes them. */
    takeProblems(): string[] {
      const seen = problems;
      problems = [];
      return seen;
    },

    /** Opens the page in a window of another reader. `init` runs before the page's own scripts. */
    async open(init?: string, path = '/'): Promise<Page> {
      const page = await blog.openEmpty();
      watch(page);
      if (init) await page.addInitScript(init);
      await page.goto(blog.url + path);
      await page.locator(':is(.connection, .subscription)[data-state=live]').first().waitFor();
      return page;
    },

    /** Opens an empty window for a foreign page; its problems are not recorded. */
    async openEmpty(): Promise<Page> {
      const context = await browser.newContext({ viewport: { width: 1_000, height: 700 } });
      context.setDefaultTimeout(PATIENCE);
      contexts.push(context);
      return context.newPage();
    },

    /** Opens several windows of one reader, all in front, wide enough to show the blog beside the System page. */
    async openWindows(...paths: string[]): Promise<Page[]> {
      const context = await browser.newContext({ viewport: { width: 1_400, height: 700 } });
      contexts.push(context);
      const pages: Page[] = [];
      for (const path of paths) {
        const page = await context.newPage();
        watch(page);
        await page.goto(blog.url + path);
        await page.locator('.connection[data-state=live]').waitFor();
        pages.push(page);
      }
      return pages;
    },

    /** The number of connections to query's stream, and to the log's. */
    async streams(): Promise<number[]> {
      const readers = async (part: string) =>
        Number(/^stream_readers (\d+)$/m.exec((await get(`${system.url(part)}/metrics`)).body)?.[1]);
      return Promise.all(['query', 'event-bus'].map(readers));
    },

    /** Creates another reader's post and waits until pages can read it. Resolves to its id. */
    async post(title: string): Promise<string> {
      const id = await blog.send('/posts', { title });
      await until(`${title} can be read`, async () => (await get(`${blog.url}/posts/${id}`)).status === 200);
      return id;
    },
    comment: (postId: string, content: string): Promise<string> => blog.send(`/posts/${postId}/comments`, { content }),
    async send(path: string, body: object): Promise<string> {
      const answer = await post(blog.url + path, body);
      expect(answer).toMatchObject({ status: 201 });
      return answer.body.id;
    },

    /** Runs work whose comments stay pending until it ends. */
    async withoutVerdicts(work: () => Promise<void>): Promise<void> {
      const moderation = `${system.url('event-bus')}/subscriptions/moderation`;
      await post(`${moderation}/pause`);
      await work().finally(() => post(`${moderation}/resume`));
    },
  };
  return blog;
}

/**
 * A browser window with real tabs. All of Playwright's own pages believe that they are in front
 * (Emulation.setFocusEmulationEnabled); these, in the browser's default context without its overrides, hide one
 * another.
 */
export async function openWindowWithTabs() {
  const [port] = await freePorts(1);
  const browser = await launch(`--remote-debugging-port=${port}`);
  const connected = await chromium.connectOverCDP(`http://127.0.0.1:${port}`, { noDefaults: true });
  const [context] = connected.contexts();
  return {
    openTab: (): Promise<Page> => (context as BrowserContext).newPage(),
    async close(): Promise<void> {
      await connected.close();
      await browser.close();
    },
  };
}

/**
 * Checks that windows at these addresses, all in front, share connections, of which a browser has six to an origin. The
 * blog is in every window, beside the System page. A message of one reaches all, over one connection per stream, also
 * while the second hangs, and after the first was closed.
 */
export async function expectWindowsShareStreams(blog: ReturnType<typeof openBlog>, ...paths: string[]): Promise<void> {
  const title = 'Before the windows';
  await blog.post(title);
  const windows = await blog.openWindows(...paths);
  const comment = async (from: Page, text: string, readers: Page[]) => {
    await sendComment(from, title, text);
    const shown = readers.map((page) =>
      postOf(page, title).locator('[data-status=approved]').getByText(text).waitFor(),
    );
    await Promise.all(shown);
  };
  await comment(windows[0] as Page, 'from the first', windows);
  await comment(windows.at(-1) as Page, 'from the last', windows);
  for (const [index, window] of windows.entries())
    if (paths[index] === '/system') await window.getByText(/^[1-9]\d* events in the log/).waitFor();
  await until('one connection for each', async () => `${await blog.streams()}` === '1,1');

  const [first, hangs, ...others] = windows as [Page, Page, Page, ...Page[]];
  await hangs.evaluate(
    'setTimeout(() => { window.hung = true; for (const end = Date.now() + 3e3; Date.now() < end; ); })',
  );
  await comment(first, 'while one hangs', others);
  await first.close();
  await comment(others[0], 'when the first is closed', [hangs, ...others]);
  await until('one connection for each', async () => `${await blog.streams()}` === '1,1');
  await Promise.all([hangs, ...others.slice(1)].map((window) => window.close()));
  expect(await blog.streams()).toEqual([1, 1]);
  await others[0].close();
  await until('none is left', async () => `${await blog.streams()}` === '0,0');
}

/** The routes by which the System page controls the bus, where it may. */
export const CONTROLS = [
  ['POST', '/subscriptions/query/pause'],
  ['POST', '/subscriptions/query/resume'],
  ['POST', '/subscriptions/query/skip'],
  ['POST', '/subscriptions/query/replay'],
  ['DELETE', '/subscriptions/query'],
  ['POST', '/dead-letters/1/redeliver'],
  ['DELETE', '/dead-letters/1'],
] as const;

/** The `article` element of a post. */
export const postOf = (page: Page, title: string) => page.getByRole('article', { name: title, exact: true });

/** The field for a comment on a post. Opens its form first, unless it is open. */
export async function commentField(page: Page, title: string) {
  const field = postOf(page, title).getByLabel('Your comment');
  const opener = postOf(page, title).getByRole('button', { name: 'Write a comment' });
  await field.or(opener).waitFor();
  if (await opener.isVisible()) await opener.click();
  return field;
}

/** Writes a comment on a post and presses its button. */
export async function sendComment(page: Page, title: string, text: string): Promise<void> {
  await (await commentField(page, title)).fill(text);
  await postOf(page, title).getByRole('button', { name: 'Comment', exact: true }).click();
}

/** Identifies a document: a reload creates another one. */
export const loadedAt = (page: Page) => page.evaluate<number>('performance.timeOrigin');
