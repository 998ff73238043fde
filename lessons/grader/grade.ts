// A grade: runs checks, a few at a time because most of a check is waiting, and finds the step on which a program stands.
import { availableParallelism } from 'node:os';
import { type Check, Failed, type Plan } from './check.ts';
import type { Recorder } from './recorder.ts';
import { Run, type RunOptions } from './run.ts';
import { shorten } from './shorten.ts';

export type Failure = { failed: Failed; plan: Plan; recorder: Recorder };
export type Result = { check: Check; outcome: 'passed' | 'failed' | 'left out'; because?: string; failure?: Failure };

export type GradeOptions = Omit<RunOptions, 'plan'> & { isShort: boolean };

/** Runs a check once with this plan. Returns its failure; any other error is thrown. */
export async function runOnce(check: Check, plan: Plan, options: GradeOptions): Promise<Failure | undefined> {
  const run = new Run({ ...options, plan });
  try {
    await check.run(run);
    return undefined;
  } catch (error) {
    if (error instanceof Failed) return { failed: error, plan, recorder: run.recorder };
    throw error;
  } finally {
    await run.end();
  }
}

/** Grades: yields the results in the order of the checks. Only the first failure is cut down to its shortest run. */
export async function* grade(checks: Check[], options: GradeOptions): AsyncGenerator<Result> {
  const slots = createSlots(Math.max(2, Math.min(4, availableParallelism())));
  const results = new Map<string, Promise<Result>>();
  const nameOf = ({ part, name }: Pick<Check, 'part' | 'name'>) => `${part} ${name}`;
  const stop = new AbortController();
  const signal = AbortSignal.any([options.signal, stop.signal]);
  const given = { ...options, signal };

  async function result(check: Check): Promise<Result> {
    for (const name of check.needs ?? []) {
      const needed = await results.get(nameOf({ part: check.part, name }));
      if (needed && needed.outcome !== 'passed') return { check, outcome: 'left out', because: needed.check.title };
    }
    return slots(async () => {
      signal.throwIfAborted();
      const failure = await runOnce(check, options.isShort ? (check.short ?? check.plan) : check.plan, given);
      return failure ? { check, outcome: 'failed', failure } : { check, outcome: 'passed' };
    });
  }

  for (const check of checks) {
    const running = result(check);
    running.catch(() => {});
    results.set(nameOf(check), running);
  }
  let isFirst = true;
  try {
    for (const running of results.values()) {
      const found = await running;
      if (found.failure && isFirst) {
        isFirst = false;
        yield {
          ...found,
          failure: await shorten(found.check, found.failure, (plan) => runOnce(found.check, plan, given)),
        };
      } else yield found;
    }
  } finally {
    stop.abort();
    await Promise.allSettled(results.values());
  }
}

/** Runs at most so many works at once, in the order in which they came. */
function createSlots(count: number) {
  let free = count;
  const waiting: (() => void)[] = [];
  return async <T>(work: () => Promise<T>): Promise<T> => {
    if (free > 0) free -= 1;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else free += 1;
    }
  };
}

/** The highest step up to which no check failed; 0 if one of step 1 did. Steps without a check of the given parts do not count. */
export function standing(results: Result[]): number {
  const steps = [...new Set(results.map(({ check }) => check.step))].sort((a, b) => a - b);
  let stands = 0;
  for (const step of steps) {
    if (results.some(({ check, outcome }) => check.step === step && outcome !== 'passed')) break;
    stands = step;
  }
  return stands;
}
