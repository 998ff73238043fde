import type { LogEntry } from '../bus.ts';

/** Larger groups are shown as they come. */
const FEW = 6;
const REMEMBERED = 200;

/**
 * Slows events down for the eye: a comment gets its verdict within milliseconds. While there are few events, one leaves
 * its publisher only after the one before it with the same subject has reached the bus. Times are in milliseconds of
 * performance.now().
 */
export function createPace(travelMs: number) {
  /** The newest events, and the time at which each is shown to reach the bus. */
  let arrivals: { position: number; type: string; subject: string | undefined; at: number }[] = [];

  return {
    /** The departures of new events from their sources. */
    published(entries: readonly LogEntry[], now: number) {
      const leaving = entries.map((entry) => {
        const { position, type, subject } = entry;
        const cause = entries.length <= FEW && subject && arrivals.findLast((one) => one.subject === subject);
        const at = cause ? Math.max(now, cause.at + travelMs) : now;
        arrivals.push({ position, type, subject, at: at + travelMs });
        return { at, entry };
      });
      arrivals = arrivals.slice(-REMEMBERED);
      const groups = Map.groupBy(leaving, ({ at, entry }) => `${at} ${entry.source}`);
      return [...groups.values()].map((group) => ({
        at: group[0]?.at ?? now,
        source: group[0]?.entry.source ?? '',
        events: group.map(({ entry }) => entry),
      }));
    },

    /** The departures from the bus of the events after one position, up to another. */
    delivered(after: number, upto: number, now: number) {
      const known = arrivals.filter(({ position }) => position > after && position <= upto);
      const groups = Map.groupBy(known, ({ at }) => Math.max(now, at));
      const paced = [...groups].map(([at, all]) => ({ at, count: all.length, types: all.map(({ type }) => type) }));
      const others = upto - after - known.length;
      return others > 0 ? [{ at: now, count: others, types: [] as string[] }, ...paced] : paced;
    },
  };
}
