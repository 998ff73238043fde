// Live changes: the page shows what others write, without a reload.
import { parseTraceparent, traceIdOf } from '@blog/common/core/events.ts';
import { expect } from '@jest/globals';
import type { Page } from 'playwright-core';
import {
  expectWindowsShareStreams,
  loadedAt,
  openBlog,
  openWindowWithTabs,
  postOf,
  sendComment,
  test,
} from './browser.ts';
import { until } from './lib/http.ts';

const blog = openBlog();

const write = async (page: Page, title: string) => {
  await page.getByLabel('Title').fill(title);
  await page.getByRole('button', { name: 'Post', exact: true }).click();
};

const withStatus = (page: Page, title: string, status: string) =>
  postOf(page, title).locator(`.comment[data-status=${status}]`);

test('a post written in one window waits in the other until its reader asks for it', async () => {
  await blog.post('here before');
  const [mine, other] = await Promise.all([blog.open(), blog.open()]);
  await write(mine, 'A pear tree');
  await postOf(mine, 'A pear tree').waitFor();
  await other.getByRole('button', { name: '1 new post' }).waitFor();
  expect(await postOf(other, 'A pear tree').count()).toBe(0);
  expect(await mine.getByRole('button', { name: 'new post' }).count()).toBe(0);

  await other.getByRole('button', { name: '1 new post' }).click();
  await postOf(other, 'A pear tree').waitFor();
  expect(await other.locator('.post h3').first().textContent()).toBe('A pear tree');
  expect(await other.getByRole('button', { name: 'new post' }).count()).toBe(0);
});

test('a comment appears awaiting moderation and turns approved in both windows without a reload', async () => {
  await blog.post('Quinces');
  const windows = await Promise.all([blog.open(), blog.open()]);
  const [mine, other] = windows;
  const loaded = await Promise.all(windows.map(loadedAt));
  await blog.withoutVerdicts(async () => {
    await sendComment(mine, 'Quinces', 'they are hard');
    for (const window of windows) {
      await withStatus(window, 'Quinces', 'pending').getByText('Awaiting moderation').waitFor();
    }
    expect(await withStatus(mine, 'Quinces', 'pending').getByText('they are hard').count()).toBe(1);
    expect(await other.content()).not.toContain('they are hard');
  });
  for (const window of windows) await withStatus(window, 'Quinces', 'approved').getByText('they are hard').waitFor();
  expect(await Promise.all(windows.map(loadedAt))).toEqual(loaded);
});

test('a write in the page begins a trace, which all events that follow have', async () => {
  const page = await blog.open();
  await write(page, 'Traced');
  await postOf(page, 'Traced').waitFor();
  await sendComment(page, 'Traced', 'all the way');
  await withStatus(page, 'Traced', 'approved').waitFor();
  const events: { type: string; traceparent?: string }[] = (await blog.system.log()).slice(-4);
  const types = ['PostCreated', 'CommentCreated', 'CommentModerated', 'CommentUpdated'];
  expect(events.map(({ type }) => type)).toEqual(types);
  const [ofPost, ...ofComment] = events.map(({ traceparent }) => traceIdOf(parseTraceparent(traceparent)));
  expect(ofPost).toMatch(/^[0-9a-f]{32}$/);
  expect(new Set(ofComment).size).toBe(1);
  expect(ofComment[0]).toMatch(/^[0-9a-f]{32}$/);
  expect(ofComment[0]).not.toBe(ofPost);
});

test('a comment with a banned word turns rejected in both windows, and no other reader ever sees its text', async () => {
  await blog.post('Citrus');
  // Checks the whole page after each of its changes.
  const other = await blog.open(`
    new MutationObserver(() => { window.leaked ||= document.documentElement.outerHTML.includes('squeezed'); })
      .observe(document, { childList: true, subtree: true, characterData: true });`);
  const mine = await blog.open();
  await blog.withoutVerdicts(async () => {
    await sendComment(mine, 'Citrus', 'a squeezed ORANGE');
    await withStatus(other, 'Citrus', 'pending').waitFor();
  });
  for (const window of [mine, other]) {
    await withStatus(window, 'Citrus', 'rejected').getByText('This comment was rejected.').waitFor();
  }
  expect(await mine.content()).not.toContain('squeezed');
  expect(await other.evaluate('window.leaked')).toBe(false);
});

test('the 51st comment comes on demand, and from then on changes live', async () => {
  const id = await blog.post('Much discussed');
  for (let n = 1; n <= 50; n++) await blog.comment(id, `remark ${n}`);
  await blog.system.quiet();
  await blog.system.part('stop moderation');
  await blog.comment(id, 'remark 51, an orange');
  await blog.comment(id, 'remark 52');
  const page = await blog.open(undefined, `/p/${id}`);
  const comments = postOf(page, 'Much discussed').locator('.comment');
  await postOf(page, 'Much discussed').getByText('52 comments').waitFor();
  expect(await comments.count()).toBe(50);
  await page.getByRole('button', { name: 'Show more comments (2)' }).click();
  await until('52 comments', async () => (await comments.count()) === 52);
  expect(await comments.nth(50).getAttribute('data-status')).toBe('pending');

  await blog.system.startPart('moderation');
  await withStatus(page, 'Much discussed', 'rejected').waitFor();
  await comments.getByText('remark 52', { exact: true }).waitFor();
  expect(await comments.nth(50).getAttribute('data-status')).toBe('rejected');
  expect(await comments.nth(51).getAttribute('data-status')).toBe('approved');
});

test('ten tabs of one window all show new posts, and only the visible one has a stream', async () => {
  const window = await openWindowWithTabs();
  try {
    const tabs: Page[] = [];
    for (let n = 0; n < 10; n++) {
      const tab = await window.openTab();
      blog.watch(tab);
      await tab.goto(blog.url);
      await tab.locator('[data-state=live]').waitFor();
      tabs.push(tab);
    }
    const states = await Promise.all(tabs.map((tab) => tab.evaluate('document.visibilityState')));
    expect(states).toEqual([...Array(9).fill('hidden'), 'visible']);
    await until('one stream', async () => (await blog.streams())[0] === 1);

    await blog.post('For ten tabs');
    for (const tab of tabs.toReversed()) {
      await tab.bringToFront();
      await tab.getByRole('button', { name: '1 new post' }).click();
      await postOf(tab, 'For ten tabs').waitFor();
    }
    await until('one stream', async () => (await blog.streams())[0] === 1);
  } finally {
    await window.close();
  }
});

test('seven windows of the System page share one connection for each stream, under the policy of production', () =>
  expectWindowsShareStreams(blog, ...Array(7).fill('/system')));

test('without storage and workers in the browser the page is live all the same', async () => {
  await blog.post('Before all was closed');
  const denied = `get() { throw new DOMException('The operation is insecure.', 'SecurityError'); }`;
  const page = await blog.open(`
    Object.defineProperty(window, 'sessionStorage', { ${denied} });
    Object.defineProperty(window, 'SharedWorker', { ${denied} });`);
  await write(page, 'Without storage');
  await postOf(page, 'Without storage').and(page.locator('[data-sent=false]')).waitFor();
  await blog.post('By another reader');
  await page.getByRole('button', { name: '1 new post' }).click();
  await postOf(page, 'By another reader').waitFor();
  expect(await postOf(page, 'Without storage').count()).toBe(1);
});

test('the page sends no request to another origin', async () => {
  const page = await blog.open();
  for (const path of ['/', '/system']) {
    const before = blog.requests.length;
    await page.goto(blog.url + path, { waitUntil: 'load' });
    await page.getByRole('heading', { level: 1 }).waitFor();
    const asked = blog.requests.slice(before);
    expect(asked.length).toBeGreaterThan(2);
    for (const url of asked) expect(new URL(url).origin).toBe(blog.url);
  }
});

/** Tells for each message from the worker, and each change of the page, its number and time. */
const WATCH_TURNS = `{
  window.turns = { messages: 0, lastAt: 0, now: 0, drawn: [] };
  const { set } = Object.getOwnPropertyDescriptor(MessagePort.prototype, 'onmessage');
  Object.defineProperty(MessagePort.prototype, 'onmessage', {
    set(listener) {
      set.call(this, (event) => {
        // React's own ports carry null.
        if (event.data?.data) {
          turns.lastAt = performance.now();
          turns.now = ++turns.messages;
          setTimeout(() => { turns.now = 0; });
        }
        listener(event);
      });
    },
  });
  new MutationObserver(() => turns.drawn.push(turns.now)).observe(document, { childList: true, subtree: true, characterData: true });
}`;

test('the first change after a pause is drawn in the same turn as its message, without waiting for a batch', async () => {
  const id = await blog.post('At once');
  const page = await blog.open(WATCH_TURNS);
  await postOf(page, 'At once').waitFor();
  await blog.withoutVerdicts(async () => {
    for (const text of ['one', 'two', 'three']) {
      await until('a pause', () => page.evaluate('performance.now() - turns.lastAt > 200'));
      await page.evaluate('turns.messages = 0; turns.drawn = []');
      await blog.comment(id, text);
      await until('the change', () => page.evaluate('turns.messages > 0 && turns.drawn.length > 0'));
      expect(await page.evaluate('turns.drawn[0]')).toBe(1);
    }
  });
});
