// The cost of a large blog relative to a small one: both run at the same time and are measured alternately, request by
// request.
import { statfsSync } from 'node:fs';
import { freemem } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { SERVERS } from '@blog/common/run/parts.ts';
import { type System, startSystem } from '../../e2e/lib/system.ts';
import { Connection } from '../connection.ts';
import { type Figure, type Run, ratio, type Values } from '../figure.ts';
import { assertRight, fill } from '../fill.ts';
import { postId, type Size } from '../history.ts';
import { percentile } from '../load.ts';
import { keep } from '../processes.ts';

const SMALL: Size = { posts: 1_000, comments: 5 };
const LARGE: Size = { posts: 1_000_000, comments: 5 };
const QUICK: Size = { posts: 20_000, comments: 5 };
/** The disk space of a post and its comments in that history, in bytes; and the memory needed for filling. */
const DISK_A_POST = 25_000;
const MEMORY = 4e9;
const WARM_UP = 100;
const REQUESTS = 200;
/** The number of posts on the first page. */
const SHOWN = 50;
const STARTS = 5;

type Blog = { system: System; size: Size; times: Map<string, number[]> };
/** The post concerned: `any` (in a large blog one that is not cached), or one shown on the first page. */
type About = 'any' | 'shown';
type Request = { part: string; path(post: string): string; body?: object; about?: About };

const comments = (about: About, body?: object): Request => ({
  part: 'comments',
  path: (post) => `/posts/${post}/comments`,
  body,
  about,
});
const requests: Record<string, Request> = {
  'first page': { part: 'query', path: () => '/posts' },
  'comments of a post shown there': comments('shown'),
  'comments of any post': comments('any'),
  'new post': { part: 'posts', path: () => '/posts', body: { title: 'one post more' } },
  'new comment on a post shown there': comments('shown', { content: 'one comment more' }),
  'new comment on any post': comments('any', { content: 'one comment more' }),
};
const NAMES = [...Object.keys(requests), ...SERVERS.map((part) => `start of ${part}`)];

async function timeRequest({ size }: Blog, { part, path, body, about }: Request, connection: Connection) {
  const among = about === 'shown' ? SHOWN : size.posts;
  const address = path(postId(size.posts - 1 - Math.floor(Math.random() * among)));
  const method = body ? 'POST' : 'GET';
  const before = performance.now();
  const { status } = await connection.request(method, address, body && JSON.stringify(body));
  const time = performance.now() - before;
  if (status >= 300) throw new Error(`${part} answered ${method} ${address} with ${status}`);
  if (body) await pause(10); // the write's effects are nearly always over by then
  return time;
}

async function timeStart({ system }: Blog, part: string): Promise<number> {
  await system.part(`stop ${part}`);
  const before = performance.now();
  await system.part(`start ${part}`);
  const connection = new Connection(system.url(part));
  const isReady = async () => (await connection.request('GET', '/readyz')).status === 200;
  while (!(await isReady().catch(() => false))) await pause(2);
  const time = performance.now() - before;
  connection.close();
  await system.ready(part);
  return time;
}

async function start(data: string): Promise<System> {
  const system = await keep(startSystem('--production', '--without', 'client', '--data', data));
  await system.quiet();
  return system;
}

async function measure({ directory, quick, say }: Run): Promise<Values> {
  const large = quick ? QUICK : LARGE;
  const disk = statfsSync(directory);
  const free = disk.bavail * disk.bsize;
  const needed = large.posts * DISK_A_POST;
  if (free < needed || freemem() < MEMORY)
    throw new Error(
      `needs ${needed / 1e9} GB of disk and ${MEMORY / 1e9} of memory; ${(free / 1e9).toFixed(1)} and ${(freemem() / 1e9).toFixed(1)} are free`,
    );
  const checked = join(directory, 'checked'); // another process, because reading everything warms up its cache
  await fill(checked, SMALL);
  const other = await start(checked);
  await assertRight(other, SMALL);
  await other.stop();

  const blogs = new Map<string, Blog>();
  for (const [name, size] of [
    ['small', SMALL],
    ['large', large],
  ] as const) {
    const began = performance.now();
    const data = join(directory, name);
    await fill(data, size);
    say(
      `${size.posts} posts, ${size.posts * size.comments} comments: made in ${((performance.now() - began) / 1_000).toFixed(0)} s`,
    );
    const system = await start(data);
    blogs.set(name, { system, size, times: new Map(NAMES.map((what) => [what, []])) });
  }
  for (const [what, request] of Object.entries(requests)) {
    const connections = [...blogs.values()].map((blog) => new Connection(blog.system.url(request.part)));
    for (let n = -WARM_UP; n < REQUESTS; n++)
      for (const [i, blog] of [...blogs.values()].entries()) {
        const time = await timeRequest(blog, request, connections[i] as Connection);
        if (n >= 0) blog.times.get(what)?.push(time);
      }
    for (const connection of connections) connection.close();
  }
  for (const { system } of blogs.values()) await system.quiet();
  for (const part of SERVERS)
    for (let n = 0; n < STARTS; n++)
      for (const blog of blogs.values()) blog.times.get(`start of ${part}`)?.push(await timeStart(blog, part));
  const values = Array.from(blogs, ([name, { times }]) =>
    Array.from(times, ([what, list]) => [`${what}, ${name}`, percentile(list, 50)]),
  );
  return Object.fromEntries(values.flat());
}

export const growth: Figure = {
  name: 'growth',
  title: 'a million posts and five million comments against a thousand and five thousand: p50, one at a time',
  sides: ['ours'],
  once: true,
  units: Object.fromEntries(NAMES.flatMap((what) => [`${what}, small`, `${what}, large`]).map((what) => [what, 'ms'])),
  measure,
  goals: NAMES.map((what) => ({
    text: `${what}, large by small`,
    of: ({ ours }) => ratio(ours?.[`${what}, large`], ours?.[`${what}, small`]),
    atMost: 1.3,
  })),
};
