// A person at a browser during a chaos run: the blog and the System page are open in two windows, and posts are typed into
// the blog. Afterwards both windows have to show what the parts have.
import { setTimeout as pause } from 'node:timers/promises';
import type { Page } from 'playwright-core';
import { until } from '../../scripts/lib/until.ts';
import type { Snapshot, Violation, Write } from '../lib/checker.ts';
import { executablePath, launch } from '../lib/chromium.ts';
import type { Post } from '../lib/http.ts';

/** The pause between two posts, and the time for the windows to catch up at the end, in milliseconds. */
const THINK = 500;
const CATCH_UP = 60_000;
const EXAMPLES = 3;

export type OpenPage = NonNullable<Awaited<ReturnType<typeof openPage>>>;

type Shown = { title: string; meta: string; comments: { id: string; status: string; text: string | null }[] };

/** The posts as the blog shows them. */
const POSTS = `[...document.querySelectorAll('.feed .post')].map((post) => ({
  title: post.querySelector('h3').textContent,
  meta: post.querySelector('.meta').textContent,
  comments: [...post.querySelectorAll('.comment')].map((comment) => ({
    id: new URL(comment.querySelector('a').href).searchParams.get('comment'),
    status: comment.dataset.status,
    text: comment.querySelector('.text')?.textContent ?? null,
  })),
}))`;

/** Opens the blog at this address in two windows, signed in as `user`; undefined if no browser is installed. */
export async function openPage(url: string, user?: string) {
  if (!executablePath) return undefined;
  const browser = await launch();
  const context = await browser.newContext({ viewport: { width: 1_000, height: 700 } });
  const errors: string[] = [];
  const writes: Write[] = [];
  let reloads = 0;
  let going = true;

  async function open(path: string): Promise<Page> {
    const page = await context.newPage();
    page.setDefaultTimeout(CATCH_UP);
    page.on('crash', () => errors.push(`${path} crashed`));
    page.on('pageerror', ({ message, stack }) => {
      // In development Vite's own script complains of a lost server, and then reloads the page.
      if (!stack?.includes('/@vite/client')) errors.push(`${path}: ${stack ?? message}`);
    });
    page.on('load', () => {
      reloads += 1;
    });
    // Vite may reload the page while the gateway is down again: then a person would.
    page.on('requestfailed', async (request) => {
      if (!request.isNavigationRequest()) return;
      await pause(THINK);
      await page.goto(url + path).catch(() => {}); // failed again
    });
    await page.goto(url + path);
    return page;
  }
  if (user) {
    const page = await open('/login');
    await page.getByRole('button', { name: user }).click();
    await page.locator('.account', { hasText: user }).waitFor();
    await page.close();
  }
  const [blog, system] = (await Promise.all([open('/'), open('/system')])) as [Page, Page];
  const field = blog.getByLabel('Title');
  await Promise.all([field.waitFor(), system.getByRole('listitem', { name: /^query( ×\d+)?$/ }).waitFor()]);
  reloads = 0;

  /** Types posts, each once the blog has taken the one before. */
  async function type(): Promise<void> {
    for (let n = 1; going; n++, await pause(THINK)) {
      const text = `post ${n} typed into the page`;
      const write: Write = { kind: 'post', text, key: text, outcome: 'unknown' };
      writes.push(write);
      await field.fill(text);
      await blog.getByRole('button', { name: 'Post', exact: true }).click();
      await until('the blog has it', async () => (await field.inputValue()) === '', CATCH_UP);
    }
  }
  const typing = type().catch((error) => void errors.push(`typing: ${error.message}`));

  /** The differences between what the windows show and what the parts have. */
  async function differences({ query, log, subscriptions, deadLetters }: Snapshot): Promise<string[]> {
    await blog.evaluate(`document.querySelector('.feed-head button')?.click()`);
    const shown = await blog.evaluate<Shown[]>(POSTS);
    const typed = new Set(writes.map(({ text }) => text));
    let next = 0;
    const found = shown.flatMap((post) => {
      // The reader's own posts are shown also if they are older than the list.
      const isApart = typed.has(post.title) && post.title !== query[next]?.title;
      const there = isApart ? query.slice(next).find(({ title }) => title === post.title) : query[next++];
      return differenceOf(post, there) ?? [];
    });
    if (shown.length < Math.min(query.length, 50)) found.push(`${shown.length} of ${query.length} posts`);
    const text = await system.locator('.system').innerText();
    await system.evaluate(
      `for (const copies of document.querySelectorAll('.subscription details')) copies.open = true`,
    );
    const rows = await Promise.all(
      subscriptions.map(({ name }) => system.getByRole('listitem', { name, exact: true }).innerText()),
    );
    const wanted = [
      `${log.length.toLocaleString('en')} events in the log`,
      `Dead letters (${deadLetters.length.toLocaleString('en')})`,
    ];
    found.push(...wanted.filter((one) => !text.includes(one)).map((one) => `System does not say ${one}`));
    found.push(...rows.filter((row) => !/Live.*\b0 events/s.test(row)).map((row) => `System shows ${row}`));
    return found;
  }

  return {
    /** The posts that were typed. */
    writes,
    /** Ends the typing, once the last post was taken. */
    async stop(): Promise<void> {
      going = false;
      await typing;
    },
    /** Compares both windows, and the posts that were typed, with what the parts have. */
    async check(found: Snapshot): Promise<Violation[]> {
      let wrong: string[] = [];
      const isRight = async () => {
        wrong = await differences(found);
        return wrong.length === 0;
      };
      await until('both windows show what the parts have', isRight, CATCH_UP).catch((error) => {
        if (wrong.length === 0) wrong.push(error.cause?.message ?? error.message);
      });
      const titles = found.query.map(({ title }) => title);
      for (const { text } of writes) {
        const times = titles.filter((title) => title === text).length;
        if (times !== 1) wrong.push(`"${text}" is there ${times}×`);
      }
      const all = [...errors, ...wrong];
      return all.length > 0 ? [{ kind: 'page', count: all.length, at: {}, examples: all.slice(0, EXAMPLES) }] : [];
    },
    report: () => `open all the time, ${writes.length} posts typed, ${reloads} reloads by Vite`,
    close: () => browser.close(),
  };
}

/** The difference between a post as shown and as the read model has it; undefined if there is none. */
function differenceOf(shown: Shown, post: Post | undefined): string | undefined {
  const is = JSON.stringify(shown);
  if (!post || shown.title !== post.title) return `${is} in the place of ${post?.title}`;
  const count = post.commentCount === 1 ? '1 comment' : `${post.commentCount.toLocaleString('en')} comments`;
  const comments = new Map(post.comments.map(({ id, content, status }) => [id, { content, status }]));
  const isRight = shown.comments.every(({ id, status, text }) => {
    const comment = comments.get(id);
    return comment?.status === status && text === (status === 'approved' ? comment.content : null);
  });
  // A long list of comments is shown without those that were not loaded.
  const last = post.comments.slice(-3).map(({ id }) => id);
  const hasLast = post.commentCount > 50 || `${shown.comments.map(({ id }) => id)}` === `${last}`;
  return shown.meta.endsWith(count) && isRight && hasLast ? undefined : `${is}, not ${count}, the last of them ${last}`;
}
