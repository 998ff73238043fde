// The model: no schedule breaks an invariant, and each planted bug is found by some schedule.

import { describe, expect, test } from '@jest/globals';
import { runSchedule } from './schedule.ts';
import { BUGS, type Bug } from './types.ts';

/** More than the rarest of the planted bugs needs, which is found by the 1,442nd. */
const SCHEDULES = Number(process.env.MODEL_SCHEDULES ?? 2_000);
const FIRST = Number(process.env.MODEL_SEED ?? 1);
/** The number of last steps that a failure prints. */
const STEPS = 60;

/** The first schedule that breaks an invariant, described. */
function findViolation(...bugs: Bug[]): string | undefined {
  for (let seed = FIRST; seed < FIRST + SCHEDULES; seed += 1) {
    const { trace, violation } = runSchedule(seed, new Set(bugs));
    if (violation) return `MODEL_SEED=${seed}: ${violation}\n${trace.slice(-STEPS).join('\n')}`;
  }
}

test('no schedule of crashes, duplicates and losses breaks an invariant', () => {
  const violation = findViolation();
  if (violation) throw new Error(violation);
}, 3_600_000);

describe('a schedule fails if', () => {
  test.each(BUGS)('%s', (bug) => {
    expect(findViolation(bug)).toBeDefined();
  });
});
