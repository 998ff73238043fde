// The page in a real browser: its frames, its CPU time, its requests, and a verdict's way to it.
import { setTimeout as pause } from 'node:timers/promises';
import type { Browser, Page } from 'playwright-core';
import { executablePath, launch } from '../../e2e/lib/chromium.ts';
import { post, until } from '../../e2e/lib/http.ts';
import { openStream } from '../../e2e/lib/stream.ts';
import { type Figure, NotMeasured, type Run, ratio, type Values } from '../figure.ts';
import { now, percentile } from '../load.ts';
import { keep, startOurs } from '../processes.ts';
import { writeSteadily } from '../steady.ts';

/** The address and the width of the window, by side. From 1,200 pixels on, the System page has the blog beside it. */
const WINDOWS: Record<string, { path: string; width: number }> = {
  blog: { path: '/', width: 1_100 },
  system: { path: '/system', width: 1_100 },
  beside: { path: '/system', width: 1_400 },
};
const RATE = 50;
const POSTS = 20;

/** Counts frames, and the milliseconds of long tasks (those of more than 50 ms). */
const COUNT = `{
  const seen = window.seen = { frames: 0, long: 0 };
  requestAnimationFrame(function count() { seen.frames++; requestAnimationFrame(count); });
  new PerformanceObserver((list) => { for (const { duration } of list.getEntries()) seen.long += duration; })
    .observe({ type: 'longtask' });
}`;

/** Resolves to the time at which a text appears on the page, on the clock of `now()`. */
const shown = (text: string) => `new Promise((resolve) => {
  const observer = new MutationObserver(() => {
    if (!document.body.textContent.includes(${JSON.stringify(text)})) return;
    observer.disconnect();
    resolve(performance.timeOrigin + performance.now());
  });
  observer.observe(document.body, { childList: true, subtree: true, characterData: true });
})`;

/** Measures frames, and the CPU time of all processes of the browser, while some work runs. */
async function watch(page: Page, name: string, work: () => Promise<unknown>): Promise<Values> {
  const session = await (page.context().browser() as Browser).newBrowserCDPSession();
  const look = async () => {
    const { processInfo } = await session.send('SystemInfo.getProcessInfo');
    const cpu = processInfo.reduce((sum, { cpuTime }) => sum + cpuTime, 0);
    return { at: now(), cpu, ...(await page.evaluate<{ frames: number; long: number }>('window.seen')) };
  };
  const before = await look();
  await work();
  const after = await look();
  await session.detach();
  const seconds = (after.at - before.at) / 1_000;
  return {
    [`frames ${name}`]: (after.frames - before.frames) / seconds,
    [`CPU ${name}`]: (100 * (after.cpu - before.cpu)) / seconds,
    [`long tasks ${name}`]: (after.long - before.long) / seconds,
  };
}

/** Another reader's comments, one after another: each from its POST to the read model, and from there to the page. */
async function followVerdicts(page: Page, url: (part: string) => string, postId: string, count: number) {
  const stream = await openStream(`${url('query')}/stream`);
  const toReadable: number[] = [];
  const fromReadable: number[] = [];
  const toShown: number[] = [];
  for (let n = 0; n < count; n++) {
    const content = `verdict ${n} of the benchmark`;
    const appears = page.evaluate<number>(shown(content));
    const sentAt = now();
    const { body } = await post(`${url('client')}/posts/${postId}/comments`, { content });
    const readable = await until('the verdict is in the read model', () =>
      stream.messages.find(({ data }) =>
        data.comments?.some(
          ({ id, status }: { id: string; status?: string }) => id === body.id && status === 'approved',
        ),
      ),
    );
    const readableAt = performance.timeOrigin + readable.at;
    const shownAt = await appears;
    toReadable.push(readableAt - sentAt);
    fromReadable.push(Math.max(0, shownAt - readableAt));
    toShown.push(shownAt - sentAt);
    await pause(350); // not a multiple of any interval of the page
  }
  await stream.close();
  return {
    'sent to readable': percentile(toReadable, 50),
    'readable to shown': percentile(fromReadable, 50),
    'sent to shown': percentile(toShown, 50),
  };
}

async function measure({ side, directory, quick }: Run): Promise<Values> {
  if (!executablePath) throw new NotMeasured('no Chromium or Chrome was found (CHROMIUM: its path)');
  const { path, width } = WINDOWS[side] as { path: string; width: number };
  const { url } = await startOurs(directory, {}, []);
  const create = async () => (await post(`${url('posts')}/posts`, { title: 'a post' })).body.id as string;
  const postIds = await Promise.all(Array.from({ length: POSTS }, create));

  const starting = launch();
  await keep(starting.then((browser) => ({ stop: () => browser.close() })));
  const page = await (await starting).newPage({ viewport: { width, height: 800 } });
  let requests = 0;
  page.on('request', () => requests++);
  await page.goto(url('client') + path);
  await page.locator(':is(.connection, .subscription)[data-state=live]').first().waitFor();
  await page.evaluate(COUNT);
  await pause(2_000); // the page's own start

  const ms = quick ? 3_000 : 10_000;
  requests = 0;
  const calm = await watch(page, 'calm', () => pause(ms));
  const asked = { 'requests calm': (requests * 1_000) / ms };
  const [postId = ''] = postIds;
  const verdicts = path === '/' || width >= 1_200 ? await followVerdicts(page, url, postId, quick ? 4 : 15) : {};
  const loaded = await watch(page, `at ${RATE}/s`, () => writeSteadily(url('comments'), postIds, RATE, ms / 1_000));
  return { ...calm, ...asked, ...verdicts, ...loaded };
}

export const page: Figure = {
  name: 'page',
  title: `a window of Chromium: the blog, the System page, and both beside each other; calm, and at ${RATE} comments/s`,
  sides: Object.keys(WINDOWS),
  units: {
    'frames calm': '/s',
    [`frames at ${RATE}/s`]: '/s',
    'CPU calm': '% of a core, all of the browser',
    [`CPU at ${RATE}/s`]: '% of a core, all of the browser',
    'long tasks calm': 'ms a second',
    [`long tasks at ${RATE}/s`]: 'ms a second',
    'requests calm': '/s',
    'sent to readable': 'ms, a comment from its POST to its verdict in the read model, p50',
    'readable to shown': 'ms, from there to the page, p50 (0: no later than at a reader beside it)',
    'sent to shown': 'ms, p50',
  },
  measure,
  goals: [
    {
      text: `frames at ${RATE} comments/s, System page / blog`,
      of: ({ system, blog }) => ratio(system?.[`frames at ${RATE}/s`], blog?.[`frames at ${RATE}/s`]),
      atLeast: 0.9,
    },
    { text: 'requests/s of an idle System page', of: ({ system }) => system?.['requests calm'], atMost: 1.5 },
    { text: 'from the read model to the page, ms', of: ({ blog }) => blog?.['readable to shown'], atMost: 50 },
  ],
};
