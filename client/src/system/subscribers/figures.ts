// Lag and rates, and how they are written.

import type { Sample } from './history.ts';

const RATE_OVER_MS = 5_000;
/** Lag that is younger than this is not shown: batching makes a short lag normal. */
const USUAL_MS = 300;

export type Lag = { events: number; seconds: number };

/** A subscription's consumer lag at its newest sample; 0 if it consists only of events that have just come. */
export function lagOf(samples: readonly Sample[]): Lag {
  const now = samples.at(-1);
  if (!now) return { events: 0, seconds: 0 };
  const before = samples.findLast(({ at }) => now.at - at >= USUAL_MS);
  const isOld = now.lagSeconds >= 1 || (before && before.position + before.lag > now.position);
  return isOld ? { events: now.lag, seconds: now.lagSeconds } : { events: 0, seconds: 0 };
}

/** The rate in events per second at which a subscription advanced, over the last seconds. */
export function takingRate(samples: readonly Sample[]): number {
  const now = samples.at(-1);
  const first = now && samples.find(({ at }) => now.at - at <= RATE_OVER_MS);
  if (!now || !first) return 0;
  return Math.max(0, now.position - first.position) / Math.max(1, (now.at - first.at) / 1_000);
}

/** Counts publications by source. */
export function createPublishing() {
  const sources = new Set<string>();
  let batches: { at: number; source: string; count: number }[] = [];
  return {
    /** All sources seen so far. */
    sources,
    add(at: number, entries: readonly { source: string }[]) {
      for (const [source, { length: count }] of Map.groupBy(entries, (entry) => entry.source)) {
        batches.push({ at, source, count });
        sources.add(source);
      }
    },
    /** A source's rate in events per second, over the last seconds. */
    rate(source: string, now: number): number {
      batches = batches.filter(({ at }) => now - at <= RATE_OVER_MS);
      const sum = batches.reduce((total, batch) => total + (batch.source === source ? batch.count : 0), 0);
      return sum / (RATE_OVER_MS / 1_000);
    },
  };
}

export type Publishing = ReturnType<typeof createPublishing>;

const compact = new Intl.NumberFormat('en', { notation: 'compact', maximumSignificantDigits: 3 });
/** A number in compact notation: 8.62K. */
export const short = (count: number): string => compact.format(count);
/** A rate in compact notation. Less than one event in ten seconds rounds to 0. */
export const perSecond = (rate: number): string => `${rate < 10 ? Number(rate.toFixed(1)) : short(Math.round(rate))}/s`;
export const seconds = (count: number): string =>
  count < 120 ? `${count} s` : count < 7_200 ? `${Math.round(count / 60)} min` : `${Math.round(count / 3_600)} h`;
export const lagText = ({ events, seconds: age }: Lag): string =>
  `lag ${short(events)}${age >= 1 ? `, ${seconds(age)}` : ''}`;
