const BASE_MS = 500;
const CAP_MS = 10_000;

/** Full jitter: anything up to a bound that doubles with every attempt (the first is 0), so that pages do not come back in step. */
export function backoffMs(attempt: number): number {
  return Math.random() * Math.min(CAP_MS, BASE_MS * 2 ** attempt);
}
