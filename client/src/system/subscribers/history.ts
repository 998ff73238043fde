import type { Subscription } from '../bus.ts';

/** A subscription's progress at a time: milliseconds of performance.now(), which is monotonic. */
export type Sample = { at: number; position: number; lag: number; lagSeconds: number };

const KEPT_MS = 5 * 60_000;
const MOST = 600;
/** The minimum distance of samples, so that five minutes fit into the maximum number. */
const APART_MS = 400;

/** Appends a sample to the history, newest last. */
export function withSample(samples: readonly Sample[] = [], at: number, subscription: Subscription): readonly Sample[] {
  const { position, lag, lagSeconds } = subscription;
  // The newest sample always shows the present. It is kept for good only if it is far enough from the one before.
  const before = samples.at(-2);
  const kept = before && (samples.at(-1)?.at ?? 0) - before.at < APART_MS ? samples.slice(0, -1) : samples;
  return [...kept.filter((sample) => at - sample.at < KEPT_MS).slice(1 - MOST), { at, position, lag, lagSeconds }];
}
