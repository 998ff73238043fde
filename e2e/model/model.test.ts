import { describe, expect, test } from '@jest/globals';
import { Schedule, Violation } from './schedule.ts';
import { BUGS, type Bug } from './types.ts';

const SCHEDULES = Number(process.env.MODEL_SCHEDULES ?? 3_000);
const FIRST = Number(process.env.MODEL_SEED ?? 1);
/** How many of the last steps a failure prints. */
const STEPS = 60;

/** The first schedule that breaks a rule, in words. */
function findViolation(first: number, ...bugs: Bug[]): string | undefined {
  for (let seed = first; seed < first + SCHEDULES; seed += 1) {
    const schedule = new Schedule(seed, new Set(bugs));
    try {
      schedule.run();
    } catch (error) {
      if (!(error instanceof Violation)) throw error;
      return `MODEL_SEED=${seed}: ${error.message}\n${schedule.trace.slice(-STEPS).join('\n')}`;
    }
  }
}

test('the rules of publishing and delivering keep every promise, whatever dies, repeats or is lost', () => {
  const violation = findViolation(FIRST);
  if (violation) throw new Error(violation);
}, 3_600_000);

describe('a schedule fails if', () => {
  test.each(BUGS)('%s', (bug) => {
    expect(findViolation(FIRST, bug)).toBeDefined();
  });
});
