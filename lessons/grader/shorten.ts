// The shortest run that still shows a failure: the check is run again with smaller plans.
import type { Check, Plan } from './check.ts';
import type { Failure } from './grade.ts';

/** The maximum of further runs: each costs seconds. */
const RUNS = 8;

/** Cuts a failure down: the smallest plan first, which shows most failures; else one size after the other, by halves. */
export async function shorten(
  { least }: Check,
  failure: Failure,
  again: (plan: Plan) => Promise<Failure | undefined>,
): Promise<Failure> {
  if (!least) return failure;
  let runs = 0;
  const attempt = (plan: Plan) => {
    runs += 1;
    return again(plan);
  };
  const smallest = { ...failure.plan, ...least };
  if (Object.entries(smallest).every(([name, size]) => failure.plan[name] === size)) return failure;
  const found = await attempt(smallest);
  if (found) return found;
  let shortest = failure;
  for (const name of Object.keys(least)) {
    let low = (least[name] as number) - 1; // too small, as far as is known
    while (runs < RUNS && (shortest.plan[name] as number) - low > 1) {
      const size = Math.floor((low + (shortest.plan[name] as number)) / 2);
      const smaller = await attempt({ ...shortest.plan, [name]: size });
      if (smaller) shortest = smaller;
      else low = size;
    }
  }
  return shortest;
}
