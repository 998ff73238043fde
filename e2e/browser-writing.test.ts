// Writing in the page: concurrent arrivals, drafts, mistakes, and use by keyboard alone.
import { expect } from '@jest/globals';
import type { Page } from 'playwright-core';
import { commentField, openBlog, postOf, test } from './browser.ts';
import { until } from './lib/http.ts';

const blog = openBlog();

/** Records at every frame the distance of the focused field from its first position. */
const WATCH_PLACE = `(() => {
  const field = document.activeElement;
  const top = field.getBoundingClientRect().top;
  window.place = { furthest: 0, frames: 0 };
  (function look() {
    const moved = Math.abs(field.getBoundingClientRect().top - top);
    window.place = { furthest: Math.max(window.place.furthest, moved), frames: window.place.frames + 1 };
    requestAnimationFrame(look);
  })();
})()`;

const FIELD = `(({ value, selectionStart, selectionEnd }) => ({ value, selectionStart, selectionEnd }))(document.activeElement)`;
const focused = (page: Page) =>
  page.evaluate<string>(`document.activeElement.labels?.[0]?.textContent ?? document.activeElement.textContent`);

async function tabTo(page: Page, name: string): Promise<void> {
  for (let presses = 0; presses < 8; presses++) {
    await page.keyboard.press('Tab');
    if ((await focused(page)) === name) return;
  }
  throw new Error(`the focus does not get to ${name}`);
}

test('posts of others do not disturb typing: focus, text, caret and scroll position stay', async () => {
  const below = await blog.post('Below');
  const here = await blog.post('Here');
  const above = await blog.post('Above');
  const page = await blog.open();
  await page.setViewportSize({ width: 1_000, height: 400 });
  const field = await commentField(page, 'Here');
  await field.fill('start end');
  for (let n = 0; n < ' end'.length; n++) await field.press('ArrowLeft');
  await page.evaluate(WATCH_PLACE);

  const typed = ' and so on, and so on, and so on';
  const others = (async () => {
    for (let n = 1; n <= 30; n++) {
      const postId = [above, here, below][n % 3] as string;
      await Promise.all([blog.send('/posts', { title: `news ${n}` }), blog.comment(postId, `remark ${n}`)]);
    }
  })();
  await page.keyboard.type(typed, { delay: 20 });
  await others;
  await page.getByRole('button', { name: '30 new posts' }).waitFor();
  await until('30 comments', async () => (await page.locator('.meta', { hasText: '10 comments' }).count()) === 3);

  const caret = `start${typed}`.length;
  const expected = { value: `start${typed} end`, selectionStart: caret, selectionEnd: caret };
  expect(await page.evaluate(FIELD)).toEqual(expected);
  const { furthest, frames } = await page.evaluate<{ furthest: number; frames: number }>('window.place');
  expect(frames).toBeGreaterThan(10);
  expect(furthest).toBeLessThan(1.5);

  await page.reload();
  await until('the draft', async () => (await field.inputValue()) === expected.value);
});

test('an invalid title is reported beside the field, and the text stays', async () => {
  const page = await blog.open();
  const field = page.getByLabel('Title');
  const refused = async (text: string, message: string) => {
    await field.fill(text);
    await page.getByRole('button', { name: 'Post', exact: true }).click();
    const error = page.getByRole('alert').getByText(message);
    await error.waitFor();
    expect((await field.getAttribute('aria-describedby'))?.split(' ')).toContain(await error.getAttribute('id'));
    expect(await field.getAttribute('aria-invalid')).toBe('true');
    expect(await field.inputValue()).toBe(text);
    await field.press('End');
    await field.press('a');
    await until('no error', async () => (await page.getByRole('alert').count()) === 0);
  };
  await refused('', 'The title is empty.');
  await refused('   ', 'The title is empty.');
  await refused('🍊'.repeat(201), 'The title may have 200 characters at most; this one has 201.');
  await field.fill('🍊'.repeat(200));
  await field.press('Enter');
  await postOf(page, '🍊'.repeat(200)).waitFor();
});

test('everything works by keyboard alone, and only the reader’s own verdicts are announced', async () => {
  await blog.post('already there');
  const page = await blog.open();
  const spoken = page.getByRole('status');
  const hears = (text: string) => until(text, async () => (await spoken.textContent())?.includes(text));
  await tabTo(page, 'Title');
  await page.keyboard.type('Without a mouse');
  await page.keyboard.press('Enter');
  await postOf(page, 'Without a mouse').waitFor();
  await hears('Your post is published.');

  await tabTo(page, 'Write a comment');
  await page.keyboard.press('Enter');
  await page.keyboard.type('first line');
  await page.keyboard.press('Enter');
  await page.keyboard.type('second line');
  await tabTo(page, 'Comment');
  await page.keyboard.press('Enter');
  await hears('Your comment was approved.');
  await postOf(page, 'Without a mouse').getByText('first line\nsecond line').waitFor();

  const id = (await blog.system.log()).findLast(({ type }) => type === 'PostCreated')?.subject as string;
  await blog.comment(id, 'an orange by another reader');
  await postOf(page, 'Without a mouse').locator('[data-status=rejected]').waitFor();
  expect(await spoken.textContent()).not.toContain('rejected');

  await blog.post('Somebody else’s');
  await page.getByRole('button', { name: '1 new post' }).focus();
  await page.keyboard.press('Enter');
  await until('the focus at the new post', async () => (await focused(page)) === 'Somebody else’s');
});
