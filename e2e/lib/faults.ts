// Faults under load in a system of copies: a crowd writes, a fault comes, and the time without an acknowledged write is noted.
import { setTimeout as pause } from 'node:timers/promises';
import { expect } from '@jest/globals';
import { check, takeSnapshot } from './checker.ts';
import { differences, oneOfEach } from './copies.ts';
import { type Answer, get, until } from './http.ts';
import type { System } from './system.ts';
import { startWriters, type Written, writesOf } from './writers.ts';

/** The number of writes acknowledged before and after each fault. */
const SOME = process.env.LONG ? 200 : 20;
const WRITERS = 8;
const WITHIN = 120_000;
/** The pause between two looks of a reader, in milliseconds. */
const LOOK = 20;

/** Reads, until told to stop, what was there before; `stop` resolves to the answers in which it was not. */
function startReader(system: System, known: readonly Written[]) {
  const wrong: string[] = [];
  let going = true;
  /** Copies may be away: a refusal is no wrong answer. */
  async function look(what: string, url: string, isRight: (body: Answer['body']) => boolean): Promise<void> {
    const answer = await get(url).catch(() => undefined);
    if (!answer || answer.status === 502 || answer.status === 503) return;
    if (answer.status !== 200 || !isRight(answer.body)) wrong.push(`${answer.status} for ${what}`);
  }
  const reading = (async () => {
    const [posts, comments, query] = ['posts', 'comments', 'query'].map(system.url);
    for (let n = 0; going && known.length > 0; n++, await pause(LOOK)) {
      const { id, comments: own } = known[n % known.length] as Written;
      const hasAll = (found: object) => Object.keys(found).length >= own.length;
      await look('the list of posts', `${posts}/posts?limit=1`, (list) => Object.keys(list).length === 1);
      await look('the read model', `${query}/posts?limit=1`, (list) => Object.keys(list).length === 1);
      await look('a post', `${query}/posts/${id}`, (post) => hasAll(post.comments));
      await look('its comments', `${comments}/posts/${id}/comments`, hasAll);
    }
  })();
  return async () => {
    going = false;
    await reading;
    return wrong;
  };
}

/** `stops` collects a line for each fault. */
export function createFaults(system: System) {
  /** All that was acknowledged so far; a test may add its own. */
  const written: Written[] = [];
  const stops: string[] = [];

  /** Runs faults under load. Afterwards nothing may be lost, doubled, wrong or pending, and all copies must be equal. */
  async function underLoad(
    work: (fault: (what: string, cause: () => Promise<unknown>) => Promise<void>) => Promise<void>,
  ) {
    const stopReader = startReader(system, [...written]);
    const writers = startWriters(system, WRITERS);
    const someWrites = () => {
      const enough = writers.acknowledgements() + SOME;
      return until('more writes', () => writers.acknowledgements() >= enough, WITHIN);
    };
    try {
      await someWrites();
      await work(async (what, cause) => {
        writers.longestStop();
        await cause();
        await someWrites();
        stops.push(`${String(Math.round(writers.longestStop())).padStart(7)} ms: ${what}`);
      });
    } finally {
      const wrong = await stopReader();
      await writers.stop();
      written.push(...writers.posts);
      expect(wrong).toEqual([]);
    }
    // Copies that are away, above all no 404 for a comment on a post that another copy took.
    expect(writers.refusals.filter((refusal) => !/^(502|503|507) /.test(refusal))).toEqual([]);
    await expectAllRight();
  }

  async function expectAllRight(): Promise<void> {
    await system.quiet(WITHIN);
    const snapshot = await takeSnapshot(oneOfEach(system));
    const subscriptions = await system.subscriptions();
    expect(check(writesOf(written), { ...snapshot, subscriptions }, { oneCopy: false })).toEqual([]);
    expect(await differences(system)).toEqual([]);
  }

  /** Kills a process and deletes its database before it comes back: its machine and its volume are lost. */
  async function lose(name: string): Promise<void> {
    await system.part(`kill ${name}`);
    await system.part(`stop ${name}`);
    system.deleteDatabase(name);
    await system.startPart(name);
  }

  async function restart(name: string): Promise<void> {
    await system.part(`stop ${name}`);
    await system.startPart(name);
  }

  return { written, stops, underLoad, expectAllRight, lose, restart };
}
