// The page as a document: accessible, printable, steady while it loads, and right whatever the browser does to it.
import { expect } from '@jest/globals';
import type { Page } from 'playwright-core';
import { loadedAt, openBlog, postOf, sendComment, test } from './browser.ts';
import { accessibilityViolations } from './lib/axe.ts';
import { get, post, until } from './lib/http.ts';

const blog = openBlog({ partsGoAway: true });

const PHONE = { width: 390, height: 844 };

test('axe finds nothing on the blog, a post, and the System page, wide and on a phone, light and dark', async () => {
  const id = await blog.post('For everybody');
  await blog.comment(id, 'a remark');
  await blog.comment(id, 'an orange');
  await blog.system.quiet();
  await blog.system.part('stop moderation');
  await blog.comment(id, 'skipped');
  const skip = `${blog.system.url('event-bus')}/subscriptions/moderation/skip`;
  await until('it is skipped', async () => (await post(skip)).status === 200);
  const comment = await blog.comment(id, 'waits');

  const page = await blog.open();
  const found: Record<string, string[]> = {};
  const check = async (what: string) => {
    found[what] = await accessibilityViolations(page);
  };
  const addresses: [string, string][] = [
    ['/', 'For everybody'],
    [`/p/${id}`, 'For everybody'],
    ['/system', 'Dead letters (1)'],
    ['/system?event=1', 'Event 1'],
    [`/system?comment=${comment}`, 'does not have it yet'],
  ];
  for (const [path, text] of addresses) {
    await page.emulateMedia({ colorScheme: 'light' });
    await page.setViewportSize({ width: 1_400, height: 900 });
    await page.goto(blog.url + path);
    await page.getByText(text).first().waitFor();
    await check(`${path} wide`);
    await page.emulateMedia({ colorScheme: 'dark' });
    await page.setViewportSize(PHONE);
    await check(`${path} on a phone and dark`);
  }
  await blog.system.startPart('moderation');
  await page.setViewportSize({ width: 1_400, height: 900 });
  await page.goto(`${blog.url}/system`);
  await page.getByRole('listitem', { name: 'moderation', exact: true }).getByText('Live').waitFor();
  await check('/system calm, wide and dark');
  expect(found).toEqual(Object.fromEntries(Object.keys(found).map((what) => [what, []])));
});

test('printed, the posts are dark on white, also from a dark screen', async () => {
  const id = await blog.post('On paper');
  await blog.comment(id, 'a remark');
  const page = await blog.open();
  await postOf(page, 'On paper').getByText('a remark').waitFor();
  await page.emulateMedia({ media: 'print', colorScheme: 'dark' });
  // The lightness of the text, and of each background behind it that is not transparent.
  const inks = await page.evaluate<{ text: number; behind: number[] }>(`{
    const lightness = (color) => {
      const context = Object.assign(document.createElement('canvas'), { width: 1, height: 1 }).getContext('2d');
      context.fillStyle = color;
      context.fillRect(0, 0, 1, 1);
      const [red, green, blue, alpha] = context.getImageData(0, 0, 1, 1).data;
      return alpha === 0 ? undefined : (red + green + blue) / 765;
    };
    const text = document.querySelector('.post .text');
    const behind = [];
    for (let element = text; element; element = element.parentElement) behind.push(getComputedStyle(element).backgroundColor);
    ({ text: lightness(getComputedStyle(text).color), behind: behind.map(lightness).filter((one) => one !== undefined) });
  }`);
  expect(inks.text).toBeLessThan(0.4);
  expect(inks.behind.filter((one) => one < 1)).toEqual([]);
  for (const role of ['textbox', 'button', 'navigation'] as const) expect(await page.getByRole(role).count()).toBe(0);
  expect(await postOf(page, 'On paper').getByText('a remark').isVisible()).toBe(true);
});

test('back, forward and a reload keep the place', async () => {
  for (let n = 0; n < 12; n++) await blog.post(`Place ${n}`);
  const page = await blog.open();
  const scrolled = () => page.evaluate<number>('Math.round(scrollY)');
  const link = page.getByRole('link', { name: 'Place 3', exact: true });
  await link.scrollIntoViewIfNeeded();
  const before = await scrolled();
  expect(before).toBeGreaterThan(300);
  await link.click();
  await page.waitForURL('**/p/*');
  await until('it begins at its top', async () => (await scrolled()) === 0);
  await page.goBack();
  await until('the same place', async () => (await scrolled()) === before);
  await page.reload();
  await until('the same place after a reload', async () => (await scrolled()) === before);
  await page.goForward();
  await page.getByRole('heading', { name: 'Place 3' }).waitFor();
});

const RESTORED = `addEventListener('pageshow', ({ persisted }) => { window.restored = persisted; })`;

test('a page restored from the back/forward cache is live again, has what came meanwhile, and keeps what was typed', async () => {
  await blog.post('Before it was left');
  const page = await blog.open(RESTORED);
  await page.getByLabel('Title').fill('half a thought');
  await page.goto(`${blog.url}/healthz`);
  await blog.post('Meanwhile');
  await page.evaluate('history.back()');
  await until('it is restored', () => page.evaluate('window.restored === true'));
  await page.getByRole('button', { name: '1 new post' }).click();
  await postOf(page, 'Meanwhile').waitFor();
  await page.locator('.connection[data-state=live]').waitFor();
  expect(await page.getByLabel('Title').inputValue()).toBe('half a thought');
  const id = await blog.post('And after');
  await page.getByRole('button', { name: '1 new post' }).waitFor();
  expect(id).toBeTruthy();
});

test('in production /docs is the blog, as every other unknown address, and nothing of it can be loaded', async () => {
  const page = await blog.open(undefined, '/docs');
  expect(await page.locator('nav').getByRole('link').allTextContents()).toEqual(['Posts', 'System']);
  for (const file of ['docs.js', 'swagger-ui-bundle.js', 'posts.yaml'])
    expect((await get(`${blog.url}/docs/${file}`)).status).toBe(404);
});

test('a System page that cannot be loaded, as after a deployment, says to reload, and the blog goes on', async () => {
  const page = await blog.open();
  await page.getByLabel('Title').fill('half a thought');
  await page.route('**/assets/system-*', (route) => route.abort());
  await page.getByRole('link', { name: 'System', exact: true }).click();
  await page.getByRole('alert').getByText('The System page cannot be shown').waitFor();
  expect(blog.takeProblems()).not.toEqual([]);
  await page.goBack();
  expect(await page.getByLabel('Title').inputValue()).toBe('half a thought');
  await page.goForward();
  await page.unroute('**/assets/system-*');
  await page.getByRole('button', { name: 'Reload the page' }).click();
  await page.getByRole('heading', { name: 'How events travel' }).waitFor();
});

test('a link to an event shows it, and does not scroll the blog beside it', async () => {
  for (let n = 0; n < 6; n++) await blog.post(`Beside ${n}`);
  const [page] = (await blog.openWindows('/system?event=1')) as [Page];
  const event = page.getByRole('region', { name: 'Event 1', exact: true });
  await event.getByText('"PostCreated"').waitFor();
  await until('it is at the top', async () => {
    const { y = -1 } = (await event.boundingBox()) ?? {};
    return y > 0 && y < 200;
  });
  expect(await page.evaluate('scrollY')).toBe(0);
});

test('nothing moves while the page loads, and a narrow phone scrolls in one direction only', async () => {
  const title = 'Several words that a phone breaks into lines';
  const id = await blog.post(title);
  for (const text of ['one', 'two', 'three', 'four', `long${'g'.repeat(200)}`]) await blog.comment(id, text);
  const page = await blog.openEmpty();
  blog.watch(page);
  await page.setViewportSize({ width: 320, height: 568 });
  await page.addInitScript(`{
    window.shifted = 0;
    new PerformanceObserver((list) => {
      for (const { value, hadRecentInput } of list.getEntries()) if (!hadRecentInput) window.shifted += value;
    }).observe({ type: 'layout-shift', buffered: true });
    window.painted = () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  }`);
  for (const path of ['/', `/p/${id}`]) {
    // Holds the answers until the page without them was painted.
    const held = Promise.withResolvers<void>();
    const asked = Promise.withResolvers<void>();
    await page.route(/\/posts/, async (route) => {
      asked.resolve();
      await held.promise;
      await route.continue();
    });
    await page.goto(blog.url + path);
    await asked.promise;
    await page.evaluate('painted()');
    held.resolve();
    await postOf(page, title).waitFor();
    await page.locator('.connection[data-state=live]').waitFor();
    await page.evaluate('painted()');
    expect(await page.evaluate('shifted')).toBeLessThan(0.01);
    expect(await page.evaluate('document.documentElement.scrollWidth - innerWidth')).toBeLessThanOrEqual(0);
    await page.unrouteAll();
  }
});

const DENIED = `get() { throw new DOMException('The operation is insecure.', 'SecurityError'); }`;
const NO_WORKER = `Object.defineProperty(window, 'SharedWorker', { ${DENIED} });`;

test('offline the page says so and keeps what is sent; online again it is up to date at once', async () => {
  await blog.post('Before it was offline');
  const page = await blog.open(NO_WORKER);
  const loaded = await loadedAt(page);
  await page.context().setOffline(true);
  // Chromium under Playwright does not send it, and keeps what is connected.
  await page.evaluate(`dispatchEvent(new Event('offline'))`);
  await page.locator('.connection[data-state=lost]').waitFor();
  await page.getByLabel('Title').fill('Sent offline');
  await page.getByRole('button', { name: 'Post', exact: true }).click();
  await page.locator('.composer').getByText('Sending again…').waitFor();
  await blog.post('While offline');
  await page.context().setOffline(false);
  await page.evaluate(`dispatchEvent(new Event('online'))`);
  await page.locator('.connection[data-state=live]').waitFor();
  await postOf(page, 'Sent offline').and(page.locator('[data-sent=false]')).waitFor();
  await page.getByRole('button', { name: '1 new post' }).click();
  await postOf(page, 'While offline').waitFor();
  expect(await postOf(page, 'Sent offline').count()).toBe(1);
  expect(await loadedAt(page)).toBe(loaded);
});

test('without workers each window has one stream, and while all connections are taken, sending says that it waits', async () => {
  await blog.post('Windows');
  const first = await blog.open(NO_WORKER);
  const context = first.context();
  const windows = [first];
  for (let n = 1; n < 6; n++) {
    const page = await context.newPage();
    blog.watch(page);
    await page.addInitScript(NO_WORKER);
    await page.goto(blog.url);
    await page.locator('.connection[data-state=live]').waitFor();
    windows.push(page);
  }
  expect(await blog.streams()).toEqual([6, 0]);
  await sendComment(first, 'Windows', 'sent at last');
  const waits = postOf(first, 'Windows').locator('.waits');
  await waits.waitFor();
  await windows.at(-1)?.close();
  await postOf(first, 'Windows').locator('[data-status=approved]').getByText('sent at last').waitFor();
});

/** Replaces each text by an element, at once and after every change, as translators do. */
const TRANSLATE = `{
  const translate = () => {
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const texts = [];
    while (walker.nextNode()) if (!walker.currentNode.parentElement.closest('font, script, style')) texts.push(walker.currentNode);
    for (const text of texts) {
      const font = document.createElement('font');
      font.textContent = text.data.toUpperCase();
      text.replaceWith(font);
    }
  };
  addEventListener('load', () => {
    new MutationObserver(translate).observe(document.body, { childList: true, subtree: true, characterData: true });
    translate();
  });
}`;
/** A clock that is wrong by so many hours. */
const clockWrong = (hours: number) => `{
  const Right = Date;
  const wrong = ${hours} * 3_600_000;
  window.Date = class extends Right {
    constructor(...args) { super(...(args.length > 0 ? args : [Right.now() + wrong])); }
    static now() { return Right.now() + wrong; }
  };
}`;

test.each([-7, 7])('translated, and with a clock wrong by %d hours, the page works', async (hours) => {
  const title = `Seen at ${hours}`;
  const id = await blog.post(title);
  const page = await blog.open(TRANSLATE + clockWrong(hours));
  const article = page.getByRole('article').filter({ hasText: title.toUpperCase() });
  await article.getByRole('button', { name: 'WRITE A COMMENT' }).click();
  await article.getByRole('textbox').fill('a remark');
  await article.getByRole('button', { name: 'COMMENT', exact: true }).click();
  await article.locator('[data-status=approved]').getByText('A REMARK').waitFor();
  await blog.comment(id, 'by another');
  await article.locator('[data-status=approved]').getByText('BY ANOTHER').waitFor();
  expect(await article.innerText()).not.toMatch(/\bIN \d|NaN|INVALID/);
  await page.getByRole('link', { name: 'SYSTEM', exact: true }).click();
  await page.getByRole('listitem', { name: 'moderation' }).getByText('LIVE').waitFor();
});
