import { type Checkpoint, NEW } from '@blog/common/core/checkpoint.ts';
import type { Database } from '@blog/common/core/database.ts';
import { firstOf } from '@blog/common/core/rows.ts';
import { parkedBetween } from './dead-letters.ts';
import { checkpointAt, checkpointOf, type Entry, head, readBehind } from './log.ts';
import type { Tail } from './tail.ts';

/** The most that goes in one push: events, and bytes of their text. One read looks at no more of the log, either. */
export const PUSH_EVENTS = 1_000;
const PUSH_BYTES = 500 * 1024;

/**
 * The next push: the events behind `after` that are not parked, and the place that the subscriber then has reached.
 * `first` is the place right before the first of them: between `after` and `first` everything is parked.
 */
export type Batch = { after: Checkpoint; first: Checkpoint; upto: Checkpoint; head: Checkpoint; events: Entry[] };

/**
 * Reads what comes behind the position `from`, at most so many events, for a subscriber that stands at `after`. Parked
 * ones are left out, but `upto` passes them. A batch without events that ends before the head is no end: the read looks at
 * a bounded part of the log, however many are parked.
 */
export function readBatch(
  db: Database,
  tail: Tail,
  subscription: string,
  { after, from, most }: { after: number; from: number; most: number },
): Promise<Batch> {
  return db.read((tx) => {
    const end = head(tx);
    const held = tail.endsAt(end) ? tail : undefined;
    const place = (at: number) => held?.at(at) ?? checkpointAt(tx, at) ?? NEW;
    const parked = parkedBetween(tx, subscription, from, from + PUSH_EVENTS);
    let run = 0;
    while (parked.has(from + 1 + run)) run += 1;
    const size = Math.min(run + most, PUSH_EVENTS);
    const events: Entry[] = [];
    let first = place(from);
    let upto = first;
    const next = held?.behind(from, size) ?? readBehind(tx, from, size);
    for (const entry of firstOf(next, size, PUSH_BYTES, bytesOf).rows) {
      if (!parked.has(entry.position)) events.push(entry);
      upto = checkpointOf(entry);
      if (events.length === 0) first = upto;
    }
    return { after: place(after), first, upto, head: end, events };
  });
}

/** With the comma behind it. */
const bytesOf = ({ record }: Entry): number => Buffer.byteLength(record) + 1;

/** The headers that say which part of the log a push is. */
export const places = ({ after, upto, head }: Batch) => ({
  'event-after': after,
  'event-upto': upto,
  'event-head': head,
});
