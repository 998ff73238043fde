// The page during outages of parts and after them.
import { expect } from '@jest/globals';
import type { Page, Route } from 'playwright-core';
import { commentField, loadedAt, openBlog, postOf, sendComment, test } from './browser.ts';
import { get, until } from './lib/http.ts';
import { startProcess } from './lib/system.ts';

const blog = openBlog({ partsGoAway: true });

const lost = (page: Page) => page.locator('[data-state=lost]').waitFor();
const live = (page: Page) => page.locator('[data-state=live]').waitFor();
const titleField = (page: Page) => page.getByLabel('Title');
const postButton = (page: Page) => page.getByRole('button', { name: 'Post', exact: true });

const write = async (page: Page, title: string) => {
  await titleField(page).fill(title);
  await postButton(page).click();
};

/** Records the keys with which this page sent posts, of each attempt. */
function keysOf(page: Page): (string | undefined)[] {
  const keys: (string | undefined)[] = [];
  page.on('request', (request) => {
    if (request.method() === 'POST') keys.push(request.headers()['idempotency-key']);
  });
  return keys;
}

/** Checks that a post was sent more than once, always with the same key, and is in the log once. */
async function expectOnce(text: string, keys: (string | undefined)[]): Promise<void> {
  expect(keys.length).toBeGreaterThan(1);
  expect(keys).toEqual(keys.map(() => expect.stringMatching(/.{16}/)));
  expect(new Set(keys).size).toBe(1);
  await blog.system.quiet();
  const events = (await blog.system.log()).filter(({ type }) => /^(Post|Comment)Created$/.test(type));
  const data = events.map((event) => (event as { data?: { title?: string; content?: string } }).data);
  expect(data.filter((it) => it?.title === text || it?.content === text)).toHaveLength(1);
}

test('while query is down the page reports it and keeps its content, and new posts are on their way; then it catches up', async () => {
  const id = await blog.post('Here all the time');
  const page = await blog.open();
  const loaded = await loadedAt(page);
  await blog.system.part('stop query');
  await lost(page);
  await page.getByText('Connection lost, reconnecting…').waitFor();
  await write(page, 'Written meanwhile');
  await postOf(page, 'Written meanwhile').getByText('Stored, on its way…').waitFor();
  await sendComment(page, 'Here all the time', 'a remark meanwhile');
  await postOf(page, 'Here all the time').getByText('Stored, on its way…').waitFor();
  await blog.comment(id, 'a remark by another reader');

  await blog.system.startPart('query');
  await live(page);
  await page.locator('.post[data-sent=false]', { hasText: 'Written meanwhile' }).waitFor();
  for (const text of ['a remark meanwhile', 'a remark by another reader']) {
    await page.locator('[data-status=approved]').getByText(text).waitFor();
  }
  expect(await page.getByText('Stored, on its way…').count()).toBe(0);
  expect(await postOf(page, 'Written meanwhile').count()).toBe(1);
  expect(await loadedAt(page)).toBe(loaded);
});

test('posts on their way are still shown after a reload while query is down', async () => {
  const page = await blog.open();
  await blog.system.part('stop query');
  await write(page, 'Survives a reload');
  await postOf(page, 'Survives a reload').waitFor();
  await page.reload();
  await page.getByRole('alert').getByText('The posts cannot be loaded at the moment.').waitFor();
  await postOf(page, 'Survives a reload').getByText('Stored, on its way…').waitFor();
  const loaded = await loadedAt(page);

  await blog.system.startPart('query');
  await live(page);
  await page.locator('.post[data-sent=false]', { hasText: 'Survives a reload' }).waitFor();
  expect(await page.getByRole('alert').count()).toBe(0);
  expect(await postOf(page, 'Survives a reload').count()).toBe(1);
  expect(await loadedAt(page)).toBe(loaded);
});

test.each(['query', 'event-bus'])('after kill -9 of %s an open page catches up', async (part) => {
  const page = await blog.open();
  const loaded = await loadedAt(page);
  await Promise.all([blog.system.killPart(part), blog.send('/posts', { title: `Behind a killed ${part}` })]);
  await page.getByRole('button', { name: '1 new post' }).click();
  await postOf(page, `Behind a killed ${part}`).waitFor();
  await live(page);
  expect(await loadedAt(page)).toBe(loaded);
});

test('after query lost and rebuilt its database, an open page shows the same as before, and stays live', async () => {
  const id = await blog.post('From the old database');
  await blog.comment(id, 'an old remark');
  const page = await blog.open();
  const loaded = await loadedAt(page);
  const shown = await page.locator('.post h3').allTextContents();
  await postOf(page, 'From the old database').getByText('an old remark').waitFor();
  const field = await commentField(page, 'From the old database');
  await field.fill('half a thought');
  await blog.system.part('stop query');
  blog.system.deleteDatabase('query');
  await lost(page);
  await blog.system.startPart('query');
  await live(page);
  await blog.comment(id, 'a new remark');
  await blog.post('From the new database');
  await page.getByRole('button', { name: '1 new post' }).waitFor();
  await postOf(page, 'From the old database').getByText('a new remark').waitFor();
  expect(await postOf(page, 'From the old database').locator('.comment .text').allTextContents()).toEqual([
    'an old remark',
    'a new remark',
  ]);
  expect(await page.locator('.post h3').allTextContents()).toEqual(shown);
  expect(await field.inputValue()).toBe('half a thought');
  expect(await field.evaluate((element) => element === element.ownerDocument.activeElement)).toBe(true);
  expect(await loadedAt(page)).toBe(loaded);
});

/** Keeps the page's random waits short in this browser. */
const SHORT_WAITS = 'Math.random = () => 0.05';

const waits = (page: Page, text: string) => page.locator('.waits').getByText(text).waitFor();

test.each([
  ['posts', 'stays open'],
  ['comments', 'is loaded again'],
])(
  '%s dies between its commit and its answer while the page %s: the page retries, and the post is there once',
  async (service, what) => {
    const text = `${service} died, the page ${what}`;
    const postId = await blog.post(`Before: ${text}`);
    const page = await blog.open(SHORT_WAITS);
    const keys = keysOf(page);
    await blog.system.part(`stop ${service}`);
    const { dataDir, ports, url } = blog.system;
    const dying = await startProcess(`${service}/src/main.ts`, {
      FAILPOINT: 'written-not-answered',
      DATA_DIR: dataDir,
      PORT: String(ports[service]),
      EVENT_BUS_URL: url('event-bus'),
    });
    const form = service === 'posts' ? page.locator('.composer') : postOf(page, `Before: ${text}`);
    if (service === 'comments') await commentField(page, `Before: ${text}`);
    await blog.system.ready(service);
    await form.getByRole('textbox').fill(text);
    await form.getByRole('button').click();
    await waits(page, 'The blog cannot store it at the moment. Sending again…');
    expect(await form.getByRole('textbox').inputValue()).toBe(text);
    await dying.stop();
    if (what === 'is loaded again') {
      await page.reload();
      await waits(page, 'The blog cannot store it at the moment. Sending again…');
    }
    await blog.system.startPart(service);
    await until('an empty field', async () => (await form.getByRole('textbox').inputValue()) === '');
    const shown =
      service === 'posts' ? postOf(page, text) : postOf(page, `Before: ${text}`).locator('[data-status=approved]');
    await shown.getByText(text).waitFor();
    expect(await shown.count()).toBe(1);
    expect(await page.locator('.waits, [role=alert]').count()).toBe(0);
    await expectOnce(text, keys);
    expect((await get(`${blog.url}/posts/${postId}`)).body.commentCount).toBe(service === 'posts' ? 0 : 1);
  },
);

test('a lost answer makes no second post either', async () => {
  const page = await blog.open(SHORT_WAITS);
  const keys = keysOf(page);
  const loseAnswer = async (route: Route) => {
    await route.fetch();
    await route.abort('connectionreset');
  };
  await page.route('**/posts', loseAnswer, { times: 1 });
  await write(page, 'Stored the first time');
  await until('an empty field', async () => (await titleField(page).inputValue()) === '');
  await expectOnce('Stored the first time', keys);
  expect(await postOf(page, 'Stored the first time').count()).toBe(1);
});
