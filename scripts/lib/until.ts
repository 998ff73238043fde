// Waits for a condition instead of for a time; for tests.
import { setTimeout as pause } from 'node:timers/promises';

type Truthy<T> = Exclude<T, false | '' | 0 | null | undefined>;

/** Waits until `check` returns a truthy value; a throwing check counts as false. */
export async function until<T>(what: string, check: () => T | Promise<T>, within = 120_000): Promise<Truthy<T>> {
  let last: unknown;
  for (const end = performance.now() + within; performance.now() < end; await pause(20)) {
    try {
      last = await check();
      if (last) return last as Truthy<T>;
    } catch (error) {
      last = error;
    }
  }
  throw new Error(`not within ${within} ms: ${what}`, { cause: last });
}
