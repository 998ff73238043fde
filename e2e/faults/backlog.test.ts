// A large backlog: 50,000 events, a million with LONG=1. The memory of bus and subscribers stays bounded while they
// catch up, the bus starts as fast as with an empty log, and all events are applied.
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type CloudEvent, createEvent } from '../../common/src/core/events.ts';
import { fillLog } from '../lib/fill.ts';
import { memoryOf, processorTimeOf, watchMemory } from '../lib/footprint.ts';
import { get, post, until } from '../lib/http.ts';
import { type System, startSystem } from '../lib/system.ts';

const LONG = process.env.LONG === '1';
const EVENTS = LONG ? 1_000_000 : 50_000;
const COMMENTS = 5_000; // of a post
/** Makes the log larger than the heap, so that a part which kept the log in memory would crash. */
const CONTENT = 'x'.repeat(LONG ? 200 : 1_000);
const HEAP = 48; // MiB
/** The maximum growth of a process in KiB: less than the log, and than the heap. */
const MOST_GROWTH = 40 * 1024;

let system: System;

beforeAll(async () => {
  // By default V8 delays garbage collection as long as there is memory.
  process.env.NODE_OPTIONS = `--max-old-space-size=${HEAP}`;
  const without = ['client', 'posts', 'comments', 'moderation'].flatMap((name) => ['--without', name]);
  system = await startSystem('--production', ...without);
});
afterAll(() => system?.stop());

const lagOfQuery = async () => (await system.subscriptions()).find(({ name }) => name === 'query')?.lag;

/** The bus's processor time from its start until it is ready, at best, in milliseconds. */
async function startTime(): Promise<number> {
  const times: number[] = [];
  for (let n = 0; n < 3; n++) {
    await system.part('stop event-bus');
    await system.part('start event-bus');
    await until('the bus is ready', async () => (await get(`${system.url('event-bus')}/readyz`)).status === 200);
    times.push(processorTimeOf((await system.pids()).get('event-bus') as number));
  }
  return Math.min(...times);
}

/** Posts, and comments that are approved at once, which only query handles. */
function* backlog(): Generator<CloudEvent> {
  let postId = '';
  for (let n = 0; n < EVENTS; n++) {
    const id = randomUUID();
    const isPost = n % COMMENTS === 0;
    if (isPost) postId = id;
    yield isPost
      ? createEvent('posts', 'PostCreated', { id, title: `post ${n}` })
      : createEvent('comments', 'CommentUpdated', { id, postId, content: CONTENT, status: 'approved' });
  }
}

(process.platform === 'linux' ? test : test.skip)(
  `${EVENTS} events of backlog are applied in bounded memory, and the bus starts as fast with them as without`,
  async () => {
    const first = { type: 'PostCreated', data: { id: 'first', title: 'first' } };
    expect((await post(`${system.url('event-bus')}/events`, first)).status).toBe(201);
    const startedEmpty = await startTime();

    await system.part('stop query');
    await system.part('stop event-bus');
    await fillLog(join(system.dataDir, 'event-bus.db'), backlog());
    await system.startPart('event-bus');
    await system.startPart('query');
    const pids = await system.pids();
    const before = Object.fromEntries([...pids].map(([name, pid]) => [name, memoryOf(pid)]));
    const watched = [...pids].map(([name, pid]) => ({ name, peak: watchMemory(pid) }));
    await until('query has everything', async () => (await lagOfQuery()) === 0, LONG ? 600_000 : 120_000);
    const grown = watched.map(({ name, peak }) => [name, peak() - (before[name] as number)]);
    if (LONG) process.stdout.write(`memory before, and growth, in KiB: ${JSON.stringify([before, grown])}\n`);
    expect(grown.filter(([, by]) => (by as number) > MOST_GROWTH)).toEqual([]);

    const posts: { commentCount: number }[] = Object.values(
      (await get(`${system.url('query')}/posts?limit=1000`)).body,
    );
    const shown = posts.reduce((sum, { commentCount }) => sum + 1 + commentCount, 0);
    expect(shown).toBe(EVENTS + 1);
    // No process ended meanwhile, for lack of memory or otherwise.
    expect(await system.pids()).toEqual(pids);

    const startedFull = await startTime();
    if (LONG) process.stdout.write(`start of the bus in ms, empty and full: ${startedEmpty}, ${startedFull}\n`);
    expect(startedFull / startedEmpty).toBeLessThan(1.5);
  },
  LONG ? 1_200_000 : 180_000,
);
