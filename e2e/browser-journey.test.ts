// The System page in production: without control, a comment's journey, the log, and how much it asks; with real parts, the
// built page and its security headers.
import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { expect } from '@jest/globals';
import type { Page } from 'playwright-core';
import { CONTROLS, openBlog, postOf, sendComment, test } from './browser.ts';
import { post, request, until } from './lib/http.ts';

const blog = openBlog({ partsGoAway: true });

// The first test: no other has left a dead letter.
test('in production there are neither buttons nor control routes', async () => {
  await blog.post('Not controlled');
  const page = await blog.open(undefined, '/system');
  await page.getByRole('listitem', { name: 'moderation', exact: true }).getByText('Live').waitFor();
  await page.getByText(/^Read-only: the buttons are shown only if/).waitFor();
  for (const name of ['Subscriptions', 'Dead letters (0)'])
    expect(await page.getByRole('region', { name }).getByRole('button').count()).toBe(0);
  for (const [method, path] of CONTROLS) {
    // The gateway refuses a body that the method has no use for.
    const sent = { method, body: method === 'POST' ? {} : undefined, headers: { origin: blog.url } };
    expect([path, (await request(`${blog.url}/api/system${path}`, sent)).status]).toEqual([path, 404]);
  }
  expect((await blog.system.subscriptions()).map(({ state, replay }) => [state, replay])).toEqual(
    Array(4).fill(['live', null]),
  );
});

/** Writes a comment on the blog page and opens its journey from there. */
async function writeAndFollow(page: Page, title: string, text: string): Promise<void> {
  await sendComment(page, title, text);
  await postOf(page, title).locator('.comment', { hasText: text }).getByRole('link', { name: 'Journey' }).click();
}

/** Publishes a thousand events that no service handles. */
async function flood(batch: number): Promise<void> {
  const about = { specversion: '1.0', source: 'flood', type: 'Flood', data: null };
  const events = Array.from({ length: 1_000 }, (_, n) => ({ ...about, id: `${batch}-${n}` }));
  const headers = { 'content-type': 'application/cloudevents-batch+json' };
  const publish = () => post(`${blog.system.url('event-bus')}/events`, events, headers);
  // A connection that was idle may close just then; the same events are recognised.
  const { status } = await publish().catch(publish);
  expect(status).toBe(201);
}

const journey = (page: Page) => page.getByRole('region', { name: 'Journey of a comment' });
const steps = (page: Page) => journey(page).locator('.step-what').allTextContents();
const rows = (page: Page) => page.locator('.log-table tbody tr');

test('the journey of a comment waits while moderation is down, and ends with the verdict', async () => {
  await blog.post('Judged late');
  const page = await blog.open();
  await postOf(page, 'Judged late').waitFor();
  await blog.system.part('stop moderation');
  await writeAndFollow(page, 'Judged late', 'an ORANGE');
  await journey(page).getByText('moderation does not have it yet. Its lag is 1 event').waitFor();
  expect((await steps(page)).map((text) => text.replace(/\d+/, 'N'))).toEqual([
    'Sent from this page',
    'Stored, with its event in the outbox',
    'CommentCreated in the log at N from the outbox of comments',
    'Judged',
  ]);
  await blog.system.startPart('moderation');
  await journey(page).getByText('in total.').waitFor();
  expect((await steps(page)).slice(3).map((text) => text.replace(/\d+/, 'N'))).toEqual([
    'Judged: rejected',
    'CommentModerated in the log at N from the outbox of moderation',
    'The verdict stands: rejected',
    'CommentUpdated in the log at N from the outbox of comments',
    'In the read model',
  ]);
  await journey(page)
    .getByRole('listitem')
    .filter({ hasText: /^moderation has it .* at attempt \d+$/ })
    .waitFor();

  await journey(page).getByRole('link', { name: 'Its events in the log' }).click();
  await until('its three events alone', async () => (await rows(page).count()) === 3);
  await rows(page).first().getByRole('rowheader').getByRole('link').click();
  const event = page.getByRole('region', { name: /^Event \d/ });
  const { type, data } = JSON.parse((await event.locator('pre').textContent()) ?? '');
  expect([type, data.content, data.status]).toEqual(['CommentUpdated', 'an ORANGE', 'rejected']);
});

test('the journey of a comment written while the bus is down shows that it waits in the outbox, and for how long', async () => {
  await blog.post('Written without a bus');
  const page = await blog.open();
  await postOf(page, 'Written without a bus').waitFor();
  await blog.system.part('stop event-bus');
  await writeAndFollow(page, 'Written without a bus', 'a remark');
  await journey(page).getByText('is stored in the outbox of comments: the event bus does not answer').waitFor();
  await blog.system.startPart('event-bus');
  await journey(page).getByText('in total.').waitFor();
  const logged = journey(page).locator('.step', { hasText: 'CommentCreated in the log' });
  expect(await logged.locator('.step-head .gap').textContent()).toMatch(/^\+ [\d.]+ (m?s)$/);
});

test('rows stay in place while thousands of events come, and an older event opens by its address', async () => {
  for (const title of ['The first row', 'The second row']) await blog.post(title);
  const page = await blog.open(undefined, '/system');
  await rows(page).first().waitFor();
  await rows(page).nth(1).hover();
  const before = await rows(page).allTextContents();
  const head = Number.parseInt(await blog.system.head(), 10);
  for (let batch = 0; batch < 5; batch++) await flood(batch);
  await page.getByRole('button', { name: '5,000 new events' }).waitFor();
  expect(await rows(page).allTextContents()).toEqual(before);
  await page.mouse.move(0, 0);
  await until('a hundred rows of the newest', async () => {
    const newest = await rows(page).first().getByRole('rowheader').textContent();
    return newest?.replace(/\D/g, '') === String(head + 5_000) && (await rows(page).count()) === 100;
  });
  await page.goto(`${blog.url}/system?event=${head + 2_500}`);
  await page
    .getByRole('region', { name: /^Event/ })
    .locator('pre', { hasText: '"Flood"' })
    .waitFor();
});

/** Counts the times that the log's rows change: per second, while 60 events come one after another. */
async function drawnPerSecond(page: Page): Promise<number> {
  await page.evaluate(`{
    window.drawn = 0;
    window.began = performance.now();
    window.watching = new MutationObserver(() => { window.drawn += 1; });
    window.watching.observe(document.querySelector('.log-table'), { childList: true, subtree: true, characterData: true });
  }`);
  const about = { specversion: '1.0', source: 'drip', type: 'Drip', data: null };
  for (let n = 0; n < 60; n++) {
    const { status } = await post(`${blog.system.url('event-bus')}/events`, { ...about, id: randomUUID() });
    expect(status).toBe(201);
    await pause(20);
  }
  return page.evaluate<number>(`{
    window.watching.disconnect();
    window.drawn / (performance.now() - window.began) * 1_000;
  }`);
}

test('the log is drawn only while in view, and then a few times a second', async () => {
  await blog.post('In the log');
  const page = await blog.open(undefined, '/system');
  await page.setViewportSize({ width: 1_000, height: 300 });
  await rows(page).first().waitFor();
  const newest = async () => (await rows(page).first().getByRole('rowheader').textContent())?.replace(/\D/g, '');
  const isNewest = async () => (await newest()) === `${Number.parseInt(await blog.system.head(), 10)}`;
  await until('the newest event', isNewest);
  expect(await drawnPerSecond(page)).toBe(0);

  await page.getByRole('heading', { name: 'The log' }).evaluate((heading) => heading.scrollIntoView());
  await until('the newest event', isNewest);
  const inView = await drawnPerSecond(page);
  expect(inView).toBeGreaterThan(0);
  expect(inView).toBeLessThan(6);
  await until('the newest event', isNewest);
});

test('an idle System window sends at most two requests a second, and a part that is away is no error to the browser', async () => {
  await blog.post('In the log');
  const page = await blog.open(undefined, '/system');
  const problems: string[] = [];
  page.on('console', (message) => problems.push(message.text()));
  page.on('requestfailed', (request) => problems.push(`failed: ${request.url()}`));
  page.on(
    'response',
    (response) => response.status() >= 400 && problems.push(`${response.status()}: ${response.url()}`),
  );
  const partIs = (name: string, state: string) =>
    page
      .locator('.diagram .node', { has: page.locator('b', { hasText: new RegExp(`^${name}$`) }) })
      .getByText(state)
      .first()
      .waitFor();
  await page.getByText(/^[1-9][\d,]* events in the log/).waitFor();
  await blog.system.quiet();

  const seconds = 3;
  const before = blog.requests.length;
  await pause(seconds * 1_000);
  const asked = blog.requests.slice(before);

  const parts = ['moderation', 'query', 'event-bus'];
  for (const part of parts) await blog.system.part(`stop ${part}`);
  for (const part of parts) await partIs(part, 'away');
  await Promise.all(parts.map((part) => blog.system.startPart(part)));
  for (const part of parts) await partIs(part, 'ready');
  await page.getByText(/^[1-9][\d,]* events in the log/).waitFor();
  const isFew = asked.length <= 2 * seconds;
  expect({ problems, asked, isFew }).toEqual({ problems: [], asked, isFew: true });
});
