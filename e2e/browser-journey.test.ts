// A comment's journey and the log on the System page, with real parts, the built page and its security headers.
import { expect } from '@jest/globals';
import type { Page } from 'playwright-core';
import { openBlog, postOf, sendComment, test } from './browser.ts';
import { post, until } from './lib/http.ts';

const blog = openBlog({ partsGoAway: true });

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
  const { status } = await post(`${blog.system.url('event-bus')}/events`, events, headers);
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
