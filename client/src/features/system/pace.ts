import type { LogEntry } from '../../api/bus.ts';

/** More at once are shown as they come. */
const FEW = 6;
const REMEMBERED = 200;

/**
 * When events are shown to leave, in milliseconds of performance.now(). A comment gets its verdict within some thousandths
 * of a second, too quick for eyes: where there are few events, one leaves its publisher only when the one before it with
 * the same subject has got there.
 */
export function createPace(travelMs: number) {
  /** The newest events, and when each is seen to reach the bus. */
  let arrivals: { position: number; type: string; subject: string | undefined; at: number }[] = [];

  return {
    /** When which events leave their source. */
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

    /** When which of the events behind one position, up to another, leave the bus. */
    delivered(after: number, upto: number, now: number) {
      const known = arrivals.filter(({ position }) => position > after && position <= upto);
      const groups = Map.groupBy(known, ({ at }) => Math.max(now, at));
      const paced = [...groups].map(([at, all]) => ({ at, count: all.length, types: all.map(({ type }) => type) }));
      const others = upto - after - known.length;
      return others > 0 ? [{ at: now, count: others, types: [] as string[] }, ...paced] : paced;
    },
  };
}
