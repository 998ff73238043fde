import type { Subscription } from '../../api/bus.ts';

/** The position of a subscription at a time (milliseconds of performance.now(), which no change of the clock moves). */
export type Sample = { at: number; position: number; lag: number; lagSeconds: number };

const KEPT_MS = 5 * 60_000;
const MOST = 600;
/** Closer ones are not kept: five minutes are about as many as are kept. */
const APART_MS = 400;

/** The samples with one more, newest last. */
export function withSample(samples: readonly Sample[] = [], at: number, subscription: Subscription): readonly Sample[] {
  const { position, lag, lagSeconds } = subscription;
  // The newest one is always the present; it stays as it is once the one after it is far enough from the one before.
  const before = samples.at(-2);
  const kept = before && (samples.at(-1)?.at ?? 0) - before.at < APART_MS ? samples.slice(0, -1) : samples;
  return [...kept.filter((sample) => at - sample.at < KEPT_MS).slice(1 - MOST), { at, position, lag, lagSeconds }];
}
