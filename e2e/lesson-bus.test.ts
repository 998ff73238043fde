// The blog on the bus of a lesson, `npm start -- --bus FOLDER`: what the page says of it, and that posts and comments arrive.
import { describe, expect, test as jestTest } from '@jest/globals';
import type { Page } from 'playwright-core';
import { STEPS } from '../lessons/steps.ts';
import { openBlog, postOf, sendComment, test } from './browser.ts';
import { accessibilityViolations } from './lib/axe.ts';
import { get, until } from './lib/http.ts';
import { startSystem } from './lib/system.ts';
import { writeComment, writePost } from './lib/writers.ts';

describe('the page', () => {
  const bus = openBlog({ development: true, options: ['--bus', 'lessons/1-fan-out'] });
  const cannot = STEPS[1]?.before as string;

  test('says what the bus cannot do and asks nothing of it in vain, and posts and comments arrive', async () => {
    const [page] = (await bus.openWindows('/system?event=1&comment=c')) as [Page];
    await page.getByText('The bus is lessons/1-fan-out/bus.ts: it tells this page nothing of').waitFor();
    await page.getByRole('region', { name: 'Lesson 1: fan-out' }).getByText(cannot).waitFor();

    await bus.post('By ten lines');
    await sendComment(page, 'By ten lines', 'a fine day');
    await postOf(page, 'By ten lines').locator('[data-status=approved]').getByText('a fine day').waitFor();

    await bus.system.part('stop event-bus');
    await page.getByText('The event bus does not answer. The page keeps trying.').waitFor();
    await bus.system.part('start event-bus');
    await page.getByText('The bus is lessons/1-fan-out/bus.ts').waitFor();

    const asked = bus.requests.map((url) => new URL(url).pathname).filter((path) => path.startsWith('/api/'));
    expect(new Set(asked)).toEqual(new Set(['/api/system/state']));
  });

  test('axe finds nothing, on a phone and dark too', async () => {
    const page = await bus.openEmpty();
    bus.watch(page);
    for (const [width, colorScheme] of [
      [1_400, 'light'],
      [400, 'dark'],
    ] as const) {
      await page.setViewportSize({ width, height: 800 });
      await page.emulateMedia({ colorScheme });
      await page.goto(`${bus.url}/system`);
      await page.getByText(cannot).waitFor();
      expect(await accessibilityViolations(page)).toEqual([]);
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(width);
    }
  });
});

jestTest('on a bus with checkpoints posts and comments arrive, also after query and the bus were away', async () => {
  const system = await startSystem('--bus', 'lessons/7-replay', '--without', 'client');
  try {
    const post = await writePost(system, 'By a lesson', 0);
    await system.part('stop query');
    await writeComment(system, post);
    await system.part('kill event-bus');
    await system.part('start query');
    const shown = async () => (await get(`${system.url('query')}/posts/${post.id}`)).body.comments;
    const [comment] = post.comments;
    await until('its verdict', async () => (await shown())[0].status === comment?.status);
    expect(await shown()).toMatchObject([{ ...comment }]);
  } finally {
    await system.stop();
  }
});
