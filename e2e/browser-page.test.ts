// The page as a document: accessible, printable, steady while it loads, and right whatever the browser does to it.
import { expect } from '@jest/globals';
import { openBlog, postOf, test } from './browser.ts';
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

test('nothing moves while the page loads', async () => {
  const id = await blog.post('Steady');
  await blog.comment(id, 'a remark');
  await blog.system.quiet();
  const page = await blog.openEmpty();
  blog.watch(page);
  await page.addInitScript(`{
    window.moved = [];
    const named = (node) => (node instanceof Element ? node : node?.parentElement)?.outerHTML.slice(0, 100);
    new PerformanceObserver((list) => {
      for (const { value, hadRecentInput, sources } of list.getEntries())
        if (!hadRecentInput && value > 0.001) window.moved.push(value.toFixed(5) + ': ' + sources.map(({ node }) => named(node)).join(', '));
    }).observe({ type: 'layout-shift', buffered: true });
    window.painted = () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  }`);
  for (const path of ['/', `/p/${id}`]) {
    // Holds the answers until the page without them was painted.
    const held = Promise.withResolvers<void>();
    const waiting: string[] = [];
    await page.route(/\/(posts|api)/, async (route) => {
      waiting.push(route.request().url());
      await held.promise;
      await route.continue();
    });
    await page.goto(blog.url + path);
    await until('it asks', () => waiting.length > 0);
    await page.evaluate('painted()');
    held.resolve();
    await page.getByText('Steady').first().waitFor();
    await page.locator('.connection[data-state=live]').waitFor();
    await page.evaluate('painted()');
    expect([path, await page.evaluate('moved')]).toEqual([path, []]);
    await page.unrouteAll();
  }
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

test('back and forward keep the place', async () => {
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
  await page.goForward();
  await page.getByRole('heading', { name: 'Place 3' }).waitFor();
});

const RESTORED = `addEventListener('pageshow', ({ persisted }) => { window.restored = persisted; })`;

test('a page restored from the back/forward cache is live again, has what came meanwhile, and keeps what was typed', async () => {
  const page = await blog.open(RESTORED);
  await page.getByLabel('Title').fill('half a thought');
  await page.goto(`${blog.url}/healthz`);
  await blog.post('Meanwhile');
  await page.evaluate('history.back()');
  await page.waitForFunction('window.restored === true');
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

test('nothing moves while the page loads, and a narrow phone scrolls in one direction only', async () => {
  const id = await blog.post('A title of several words that a phone breaks into lines');
  for (const text of ['one', 'two', 'three', 'four', `long${'g'.repeat(200)}`]) await blog.comment(id, text);
  const shifts = `new PerformanceObserver((list) => {
    for (const { value, hadRecentInput } of list.getEntries()) if (!hadRecentInput) window.shifted = (window.shifted ?? 0) + value;
  }).observe({ type: 'layout-shift', buffered: true })`;
  for (const path of ['/', `/p/${id}`]) {
    const page = await blog.openEmpty();
    blog.watch(page);
    await page.addInitScript(shifts);
    await page.setViewportSize({ width: 320, height: 568 });
    await page.goto(blog.url + path);
    await page.locator('.connection[data-state=live]').waitFor();
    await postOf(page, 'A title of several words that a phone breaks into lines').waitFor();
    expect(await page.evaluate('window.shifted ?? 0')).toBeLessThan(0.01);
    expect(await page.evaluate('document.documentElement.scrollWidth - innerWidth')).toBeLessThanOrEqual(0);
  }
});
