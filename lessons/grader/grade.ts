// A grade: runs checks, a few at a time because most of a check is waiting, and finds the step on which a program stands.
import { type Check, Failed, type Plan } from './check.ts';
import type { Recorder } from './recorder.ts';
import { Run, type RunOptions } from './run.ts';
import { shorten } from './shorten.ts';

/** The number of scenes that are played at once. */
const AT_ONCE = 4;

export type Failure = { failed: Failed; plan: Plan; recorder: Recorder };
export type Result = { check: Check; outcome: 'passed' | 'failed' | 'left out'; because?: string; failure?: Failure };

type GradeOptions = Omit<RunOptions, 'plan'> & {
  isShort: boolean;
  /** Called with each check before its result is waited for. */
  waiting?: (check: Check) => void;
};

/**
 * Runs a check with this plan, in a run that an earlier check of its scene has left, or in a new one. Returns its failure, or
 * the run if it passed; any other error is thrown.
 */
async function attempt(check: Check, plan: Plan, options: GradeOptions, left?: Run): Promise<Failure | Run> {
  const run = left ?? new Run({ ...options, plan });
  run.begin(plan);
  try {
    await check.run(run);
    return run;
  } catch (error) {
    if (error instanceof Failed) error.output = await run.errors();
    await run.end();
    if (error instanceof Failed) return { failed: error, plan, recorder: run.recorder };
    throw error;
  }
}

/** Runs a check once, on its own. */
export async function runOnce(check: Check, plan: Plan, options: GradeOptions): Promise<Failure | undefined> {
  const outcome = await attempt(check, plan, options);
  if (!(outcome instanceof Run)) return outcome;
  await outcome.end();
}

/** Grades: yields the results in the order of the checks. Only the first failure is cut down to its shortest run. */
export async function* grade(checks: Check[], options: GradeOptions): AsyncGenerator<Result> {
  const slots = createSlots(AT_ONCE);
  const results = new Map<string, Promise<Result>>();
  const nameOf = ({ part, name }: Pick<Check, 'part' | 'name'>) => `${part} ${name}`;
  const stop = new AbortController();
  const signal = AbortSignal.any([options.signal, stop.signal]);
  const given = { ...options, signal };

  /** The title of the failed check without which this one has no meaning. */
  async function unmet({ part, needs = [] }: Check): Promise<string | undefined> {
    for (const name of needs) {
      const needed = await results.get(nameOf({ part, name }));
      if (needed && needed.outcome !== 'passed') return needed.because ?? needed.check.title;
    }
  }

  /** Runs the checks of one scene; each gets its result as soon as it has one. */
  async function play(scene: Check[], settle: Map<Check, PromiseWithResolvers<Result>>): Promise<void> {
    let run: Run | undefined;
    try {
      for (const check of scene) {
        const { resolve } = settle.get(check) as PromiseWithResolvers<Result>;
        const because = await unmet(check);
        if (because) {
          resolve({ check, outcome: 'left out', because });
          continue;
        }
        signal.throwIfAborted();
        const plan = options.isShort ? (check.short ?? check.plan) : check.plan;
        const outcome = await attempt(check, plan, given, run);
        run = outcome instanceof Run ? outcome : undefined;
        resolve(outcome instanceof Run ? { check, outcome: 'passed' } : { check, outcome: 'failed', failure: outcome });
      }
    } catch (error) {
      for (const { reject } of settle.values()) reject(error);
    } finally {
      await run?.end();
    }
  }

  const scenes = Map.groupBy(checks, (check) => `${check.part} ${check.scene ?? `alone ${check.name}`}`);
  const settle = new Map(checks.map((check) => [check, Promise.withResolvers<Result>()]));
  for (const [check, { promise }] of settle) {
    promise.catch(() => {});
    results.set(nameOf(check), promise);
  }
  const played = Array.from(scenes.values(), async (scene) => {
    // Before it takes a slot, which those that it needs may be waiting for.
    await unmet(scene[0] as Check).catch(() => {});
    const others = checks.filter((check) => !scene.includes(check));
    if (scene[0]?.isLong) await Promise.allSettled(others.map((check) => settle.get(check)?.promise));
    const own = new Map(scene.map((check) => [check, settle.get(check) as PromiseWithResolvers<Result>]));
    return slots(() => play(scene, own));
  });
  let isFirst = true;
  try {
    for (const check of checks) {
      options.waiting?.(check);
      const found = await (settle.get(check) as PromiseWithResolvers<Result>).promise;
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
    await Promise.allSettled(played);
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
