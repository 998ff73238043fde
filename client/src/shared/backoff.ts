const BASE_MS = 500;
const CAP_MS = 10_000;

/**
 * Exponential backoff with full jitter: a random wait below a bound that doubles with every attempt (the first is 0),
 * so that pages do not reconnect all at the same moment.
 */
export function backoffMs(attempt: number): number {
  return Math.random() * Math.min(CAP_MS, BASE_MS * 2 ** attempt);
}
