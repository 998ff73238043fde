// A subscription's progress over time, and the lag and rate that follow from it.

import { ageText, short } from '../format.tsx';

/** A subscription's progress at a time: milliseconds of performance.now(), which is monotonic. */
export type Sample = { at: number; position: number; lag: number; lagSeconds: number };
export type Lag = { events: number; seconds: number };

const KEPT_MS = 5 * 60_000;
const RATE_OVER_MS = 5_000;
/** A rate is over at least this time: a tab that is shown again gets many events at once, which are no peak. */
const AT_LEAST_MS = 3_000;
/** Lag that is younger than this is not shown: batching makes a short lag normal. */
const USUAL_MS = 300;

/** Appends a sample to the history, newest last. */
export function withSample(
  samples: readonly Sample[] = [],
  at: number,
  progress: Omit<Sample, 'at'>,
): readonly Sample[] {
  const { position, lag, lagSeconds } = progress;
  return [...samples.filter((sample) => at - sample.at < KEPT_MS), { at, position, lag, lagSeconds }];
}

/** A subscription's consumer lag at its newest sample; 0 if it consists only of events that have just come. */
export function lagOf(samples: readonly Sample[]): Lag {
  const now = samples.at(-1);
  if (!now) return { events: 0, seconds: 0 };
  const before = samples.findLast(({ at }) => now.at - at >= USUAL_MS);
  const isOld = now.lagSeconds >= 1 || (before && before.position + before.lag > now.position);
  return isOld ? { events: now.lag, seconds: now.lagSeconds } : { events: 0, seconds: 0 };
}

/** The rates in events per second, over the last seconds, at which a subscription advanced and the log grew. */
export const takingRate = (samples: readonly Sample[]) => rateOf(samples, ({ position }) => position);
export const growthRate = (samples: readonly Sample[]) => rateOf(samples, ({ position, lag }) => position + lag);

function rateOf(samples: readonly Sample[], numberOf: (sample: Sample) => number): number {
  const now = samples.at(-1);
  const first = now && samples.find(({ at }) => now.at - at <= RATE_OVER_MS);
  if (!now || !first) return 0;
  return Math.max(0, numberOf(now) - numberOf(first)) / (Math.max(AT_LEAST_MS, now.at - first.at) / 1_000);
}

export const lagText = ({ events, seconds }: Lag): string =>
  `lag ${short(events)}${seconds >= 1 ? `, ${ageText(seconds)}` : ''}`;
