// Faults under load in a system of copies: a crowd writes, a fault comes, and the time without an acknowledged write is noted.
import { expect } from '@jest/globals';
import { check, takeSnapshot } from './checker.ts';
import { differences, oneOfEach } from './copies.ts';
import { until } from './http.ts';
import type { System } from './system.ts';
import { startWriters, type Written, writesOf } from './writers.ts';

/** The number of writes acknowledged before and after each fault. */
const SOME = process.env.LONG ? 200 : 20;
const WRITERS = 8;
const WITHIN = 60_000;

/** `stops` collects a line for each fault. */
export function createFaults(system: System) {
  /** All that was acknowledged so far; a test may add its own. */
  const written: Written[] = [];
  const stops: string[] = [];

  /** Runs faults under load. Afterwards nothing may be lost, doubled, wrong or pending, and all copies must be equal. */
  async function underLoad(
    work: (fault: (what: string, cause: () => Promise<unknown>) => Promise<void>) => Promise<void>,
  ) {
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
      await writers.stop();
      written.push(...writers.posts);
    }
    // Copies that are away, above all no 404 for a comment on a post that another copy took.
    expect(writers.refusals.filter((refusal) => !/^(502|503) /.test(refusal))).toEqual([]);
    await expectAllRight();
  }

  async function expectAllRight(): Promise<void> {
    await system.quiet(WITHIN);
    expect(check(writesOf(written), await takeSnapshot(oneOfEach(system)), { oneCopy: false })).toEqual([]);
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
