// One schedule of steps and faults, made from a seed.

import { AssertionError } from 'node:assert/strict';
import { BARE_FAULTS, FAULTS, type Step } from './faults.ts';
import { check } from './invariants.ts';
import { recover } from './repair.ts';
import { System } from './system.ts';
import type { Bug } from './types.ts';

const STEPS = 400;
const POSTS = 5;
const COMMENTS = 8;

/** The steps without faults, and their frequency. */
const WORK: { step: Step; weight: number }[] = [
  { step: (system) => system.work(), weight: 16 },
  { step: (system) => system.post(POSTS), weight: 0.5 },
  { step: (system) => system.comment(COMMENTS), weight: 1 },
  { step: (system) => system.timeout(), weight: 0.5 },
];

/** Runs a schedule decided by its seed; returns its steps, and the invariant that was broken, if one was. */
export function runSchedule(seed: number, bugs: ReadonlySet<Bug>): { trace: string[]; violation?: string } {
  const system = new System(seed, bugs);
  try {
    goWrong(system);
    recover(system);
    check(system);
  } catch (error) {
    if (!(error instanceof AssertionError)) throw error;
    return { trace: system.trace, violation: error.message };
  }
  return { trace: system.trace };
}

function goWrong(system: System): void {
  const faults = system.isBare
    ? BARE_FAULTS.map((step) => ({ step, weight: 0.4 }))
    : FAULTS.map((step) => ({ step, weight: system.any([0, 0, 0.1, 0.5]) }));
  const steps = [...WORK, ...faults];
  const total = steps.reduce((sum, { weight }) => sum + weight, 0);
  for (let count = 0; count < STEPS; count += 1) {
    let left = system.number(total);
    const chosen = steps.find(({ weight }) => {
      left -= weight;
      return left < 0;
    });
    system.say(chosen?.step(system));
  }
}
