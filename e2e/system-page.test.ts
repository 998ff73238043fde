// The System page with real parts and control, as under `npm start`; `browser-journey.test.ts` has it without control.
import { expect } from '@jest/globals';
import type { Page } from 'playwright-core';
import { SERVICES, urlSetting } from '../common/src/run/parts.ts';
import { CONTROLS, expectWindowsShareStreams, openBlog, postOf, test } from './browser.ts';
import { get, readModel, until } from './lib/http.ts';
import { startProcess } from './lib/system.ts';

const blog = openBlog({ partsGoAway: true, development: true });

async function openSystem(): Promise<Page> {
  const page = await blog.open(undefined, '/system');
  await row(page, 'moderation').getByText('Live').waitFor();
  return page;
}

const row = (page: Page, name: string) => page.getByRole('listitem', { name, exact: true });
const button = (page: Page, label: string, name: string) =>
  page.getByRole('button', { name: `${label} ${name}`, exact: true });
const press = (page: Page, label: string, name: string) => button(page, label, name).click();
const answer = (page: Page, label: string) => page.getByRole('dialog').getByRole('button', { name: label }).click();
const lag = (page: Page, name: string, text: RegExp) => row(page, name).locator('.lag', { hasText: text }).waitFor();

/** Makes the page record each travelling dot: its type, the nodes between which it moved, how far, and its removal. */
const WATCH_DOTS = `{
  window.travels = [];
  const middle = (element) => { const { x, y, width, height } = element.getBoundingClientRect(); return [x + width / 2, y + height / 2]; };
  const nodeAt = ([x, y]) => [...document.querySelectorAll('.node')].find((node) => {
    const { left, right, top, bottom } = node.firstElementChild.getBoundingClientRect();
    return x > left - 9 && x < right + 9 && y > top && y < bottom;
  })?.querySelector('b').textContent;
  const note = (dot) => {
    const [motion] = dot.getAnimations();
    const [from, to] = [0, 499].map((time) => {
      if (motion) motion.currentTime = time;
      return nodeAt(middle(dot));
    });
    if (motion) motion.currentTime = 0;
    const seen = { type: dot.dataset.type, text: dot.textContent, way: from + ' to ' + to, still: !motion, moved: 0, gone: false };
    window.travels.push(seen);
    const [start] = middle(dot);
    const look = () => {
      seen.gone = !dot.isConnected;
      if (seen.gone) return;
      seen.moved = Math.max(seen.moved, Math.abs(middle(dot)[0] - start));
      requestAnimationFrame(look);
    };
    look();
  };
  new MutationObserver((records) => records.forEach(({ addedNodes }) => [...addedNodes].filter(({ className }) => className === 'dot').forEach(note)))
    .observe(document.querySelector('.picture'), { childList: true, subtree: true });
}`;
type Travel = { type: string; text: string; way: string; still: boolean; moved: number; gone: boolean };

test('an event is shown travelling to the bus, and from there to every subscriber', async () => {
  const page = await openSystem();
  await page.evaluate(WATCH_DOTS);
  await blog.post('Travelling');
  const ways = ['posts to event-bus', ...SERVICES.map((name) => `event-bus to ${name}`)];
  const travels = await until('all ways were gone', async () => {
    const seen = await page.evaluate<Travel[]>('window.travels');
    return seen.length >= ways.length && seen.every(({ gone }) => gone) && seen;
  });
  expect(travels.map(({ type, way }) => `${type}: ${way}`).sort()).toEqual(
    ways.map((way) => `PostCreated: ${way}`).sort(),
  );
  expect(travels[0]?.way).toBe('posts to event-bus');
  for (const { moved } of travels) expect(moved).toBeGreaterThan(50);
});

test('with reduced motion a number shows the events', async () => {
  const page = await openSystem();
  await page.emulateMedia({ reducedMotion: 'reduce' });
  await page.evaluate(WATCH_DOTS);
  await blog.post('Calm');
  const travels = await until('five numbers came and went', async () => {
    const seen = await page.evaluate<Travel[]>('window.travels');
    return seen.length >= 5 && seen.every(({ gone }) => gone) && seen;
  });
  for (const seen of travels) expect(seen).toMatchObject({ text: '+1', still: true, moved: 0 });
});

test('on any screen no node of the diagram covers another, each arrow ends at its nodes, and twelve subscribers fit', async () => {
  const page = await openSystem();
  await page.route('**/api/system/state', async (route) => {
    const response = await route.fetch();
    const body = (await response.text()).replace(/"name":"subscriptions","state":\[\{/, (start) => {
      const more = Array.from({ length: 8 }, (_, n) => `{"name":"${'überaus-long-'.repeat(n)}${n}","state":"live"},`);
      return `${start.slice(0, -1) + more.join('')}{`;
    });
    await route.fulfill({ response, body });
  });
  await until('fourteen nodes', async () => (await page.locator('.picture button').count()) === 14);
  for (const width of [288, 360, 640, 900, 1_400]) {
    await page.setViewportSize({ width, height: 900 });
    const wrong = await page.evaluate<string[]>(`{
      const boxOf = (element) => element.getBoundingClientRect();
      const picture = boxOf(document.querySelector('.picture'));
      const nodes = [...document.querySelectorAll('.picture button')];
      const boxes = nodes.map(boxOf);
      const wrong = [];
      for (const [i, a] of boxes.entries()) {
        const name = nodes[i].firstChild.textContent;
        if (a.left < picture.left - 1 || a.right > picture.right + 1) wrong.push(name + ' is outside');
        for (const b of boxes.slice(i + 1))
          if (a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom) wrong.push(name + ' covers another');
      }
      for (const track of document.querySelectorAll('.track')) {
        const { left, right, top, bottom } = boxOf(track);
        const touches = (x) => boxes.some((box) => [box.left, box.right].some((edge) => Math.abs(edge - x) < 5) && box.top < bottom && top < box.bottom);
        if (right - left < 15 || !touches(left) || !touches(right)) wrong.push('an arrow ends nowhere');
      }
      [...new Set(wrong)];
    }`);
    expect({ width, wrong }).toEqual({ width, wrong: [] });
  }
});

test('a killed part is shown as away, then as back and catching up', async () => {
  const id = await blog.post('Killed');
  const page = await openSystem();
  // Every state that was visible, however shortly.
  await page.evaluate(`{
    window.seen = new Set();
    const look = () => {
      for (const state of document.querySelectorAll('.subscription-state')) {
        window.seen.add(state.closest('li').querySelector('h4').textContent + ' ' + state.textContent);
      }
    };
    new MutationObserver(look).observe(document.body, { subtree: true, childList: true, characterData: true });
  }`);
  await blog.system.part('kill moderation');
  await blog.comment(id, 'meanwhile');
  await page.waitForFunction(`window.seen.has('moderation Retrying')`);
  await row(page, 'moderation').getByText('Live', { exact: true }).waitFor();
  await lag(page, 'moderation', /^0 events$/);
});

test('a subscription that is paused by its button falls behind, and once resumed catches up', async () => {
  const id = await blog.post('Paused');
  const page = await openSystem();
  // A slow double click: by the second click the button is Resume.
  await button(page, 'Pause', 'query').dblclick({ delay: 400 });
  await row(page, 'query').getByText('Paused', { exact: true }).waitFor();
  await blog.comment(id, 'one');
  await lag(page, 'query', /^[2-9] events, \d+ s$/);
  const before = await row(page, 'query').locator('.lag').textContent();
  await blog.comment(id, 'two');
  await until('more lag', async () => {
    const now = await row(page, 'query').locator('.lag').textContent();
    return Number.parseInt(now ?? '', 10) > Number.parseInt(before ?? '', 10);
  });
  await press(page, 'Resume', 'query');
  await lag(page, 'query', /^0 events$/);
  await row(page, 'query').getByText('Live', { exact: true }).waitFor();
});

test('after a replay of query the blog is the same, to every reader and after a reload', async () => {
  const id = await blog.post('Replayed');
  for (const text of ['a pear', 'an orange', 'a plum']) await blog.comment(id, text);
  await blog.system.quiet();
  const reader = await blog.open();
  await postOf(reader, 'Replayed').getByText('a plum').waitFor();
  /** All but the ages, such as "just now", which change by themselves. */
  const shown = async () => (await reader.locator('.feed').innerText()).replace(/just now|\d+ minutes? ago/g, '');
  const progress = async () => (await get(`${blog.system.url('query')}/events`)).body;
  const before = { shown: await shown(), model: await readModel(blog.system.url('query')), progress: await progress() };

  const page = await openSystem();
  await press(page, 'Replay…', 'query');
  await answer(page, 'Replay');
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  await until('the order is taken', async () => (await progress()).replay !== before.progress.replay);
  await blog.system.quiet();
  await lag(page, 'query', /^0 events$/);
  expect(await readModel(blog.system.url('query'))).toEqual(before.model);
  expect(await shown()).toBe(before.shown);
  await reader.reload();
  await postOf(reader, 'Replayed').getByText('a plum').waitFor();
  expect(await shown()).toBe(before.shown);
});

test('an event that was skipped is redelivered by its button, and has its effect', async () => {
  const id = await blog.post('Skipped');
  const page = await openSystem();
  await blog.system.part('stop moderation');
  await blog.comment(id, 'judged late');
  await row(page, 'moderation').getByText('Retrying', { exact: true }).waitFor();
  await lag(page, 'moderation', /^1 event,/);
  const focused = () => page.evaluate('document.activeElement.textContent');
  await button(page, 'Skip…', 'moderation').focus();
  const pressable = button(page, 'Skip…', 'moderation').and(page.locator('[aria-disabled="false"]'));
  for (const no of ['Escape', 'Enter']) {
    await pressable.waitFor();
    await page.keyboard.press('Enter');
    await page.getByRole('dialog', { name: 'Skip the next event for moderation?' }).waitFor();
    expect(await focused()).toBe('Cancel');
    await page.keyboard.press(no);
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    expect(await focused()).toBe('Skip… moderation');
  }
  await pressable.waitFor();
  await page.keyboard.press('Enter');
  await answer(page, 'Skip it');
  const letters = page.getByRole('region', { name: 'Dead letters (1)' });
  await letters.getByText(/^skipped by hand: /).waitFor();

  await letters.getByRole('button', { name: /^Redeliver / }).click();
  await letters.getByText(/^moderation does not answer: /).waitFor();

  await blog.system.startPart('moderation');
  await lag(page, 'moderation', /^0 events$/);
  const status = async () => (await get(`${blog.url}/posts/${id}`)).body.comments[0].status;
  expect(await status()).toBe('pending');
  await letters.getByRole('button', { name: /^Redeliver / }).click();
  await page.getByRole('heading', { name: 'Dead letters (0)' }).waitFor();
  await until('the focus is there', async () => (await focused()) === 'Dead letters (0)');
  await until('its verdict', async () => (await status()) === 'approved');
});

test('three windows share one connection for each stream, also as Vite serves the page', () =>
  expectWindowsShareStreams(blog, '/', '/system', '/system'));

test('behind a classic bus the page says so and keeps working, and is complete again when ours is back', async () => {
  await blog.system.quiet();
  const [page] = (await blog.openWindows('/system')) as [Page];
  await blog.system.part('stop event-bus');
  const { ports, url } = blog.system;
  const urls = SERVICES.map((name) => [urlSetting(name), url(name)]);
  const classic = await startProcess('bench/naive/event-bus.ts', {
    PORT: `${ports['event-bus']}`,
    ...Object.fromEntries(urls),
  });
  try {
    await page.getByText('This event bus is a foreign one').waitFor();
    await blog.post('By the classic bus');
    // Its events have no position and, from a classic service, no time.
    await page.goto(`${blog.url}/system?event=1`);
    await page.getByText('This event bus is a foreign one').waitFor();
    await postOf(page, 'By the classic bus').waitFor();
    await page.getByRole('heading', { name: 'How events travel' }).waitFor();
  } finally {
    await classic.stop();
    await blog.system.startPart('event-bus');
  }
  await page.goto(`${blog.url}/system`);
  await row(page, 'moderation').getByText('Live').waitFor();
  expect(await page.getByText('This event bus is a foreign one').count()).toBe(0);
});

test('a page of another origin cannot control the bus, whatever it sends', async () => {
  const foreign = await blog.openEmpty();
  await foreign.goto(`${blog.system.url('posts')}/healthz`);
  const before = await blog.system.subscriptions();
  for (const [method, path] of CONTROLS) {
    const url = `${blog.url}/api/system${path}`;
    const sends = (options: object) =>
      foreign.evaluate(`fetch(${JSON.stringify(url)}, ${JSON.stringify({ method, ...options })}).then(
        ({ type, status }) => type + ' ' + status, (error) => error.name)`);
    if (method === 'POST') {
      // Sent without a CORS preflight: the page cannot read the answer, but we see it.
      const [seen, readable] = await Promise.all([
        foreign.waitForResponse((response) => response.url() === url),
        sends({ mode: 'no-cors', body: '{}', headers: { 'content-type': 'text/plain' } }),
      ]);
      expect([seen.status(), readable]).toEqual([403, 'opaque 0']);
    }
    expect(await sends({ body: '{}', headers: { 'content-type': 'application/json' } })).toBe('TypeError');
  }
  const url = `${blog.url}/api/system/subscriptions/query/pause`;
  const [response] = await Promise.all([
    foreign.waitForResponse((one) => one.url() === url),
    foreign.evaluate(`{
      const form = Object.assign(document.createElement('form'), { method: 'post', action: ${JSON.stringify(url)} });
      document.body.append(form);
      form.submit();
    }`),
  ]);
  expect(response.status()).toBe(403);
  expect((await blog.system.subscriptions()).map(({ state, replay }) => [state, replay])).toEqual(
    before.map(({ state, replay }) => [state, replay]),
  );
});
