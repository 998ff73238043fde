// The page of the contracts, in a real browser, in development; `browser-page.test.ts` checks that production has none.

import { SERVERS } from '@blog/common/run/parts.ts';
import { expect } from '@jest/globals';
import { openBlog, test } from './browser.ts';

const blog = openBlog({ development: true });

test('/docs shows the routes of every server, those of auth and the events', async () => {
  const page = await blog.openEmpty();
  blog.watch(page);
  await page.goto(`${blog.url}/docs`);
  const shown = page.locator('section').filter({ has: page.locator('.opblock') });
  for (const contract of [...SERVERS, 'auth', 'events']) await shown.and(page.locator(`#${contract}`)).waitFor();

  const show = (part: string, name: string) =>
    page.locator(`#${part} .opblock`, { has: page.locator(`[data-path="${name}"]`) }).first();
  const route = show('posts', '/posts');
  await route.getByText('Creates a post').click();
  await route
    .getByText('The same key with the same request again is answered as the first time, by every copy')
    .waitFor();
  await route.getByText('It is stored, and its event will be published whatever dies').waitFor();

  const event = show('events', 'PostCreated');
  await event.getByText('A post was written. Published by posts.').click();
  await event.getByText('Handled by posts, comments, query.').waitFor();
  await event.getByText('"p1/PostCreated"').waitFor();
  await event.getByRole('tab', { name: 'Schema' }).click();
  await event.getByText('recordedtime').waitFor();
});

test('the blog loads nothing of it', async () => {
  blog.requests.length = 0;
  await blog.open();
  expect(blog.requests.length).toBeGreaterThan(5);
  expect(blog.requests.filter((url) => /docs|swagger/.test(url))).toEqual([]);
});
