const RATE_OVER_MS = 5_000;

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
