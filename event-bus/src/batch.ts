import { type Checkpoint, NEW } from '@blog/common/checkpoint.ts';
import type { Database } from '@blog/common/database.ts';
import { parkedBehind } from './dead-letters.ts';
import { checkpointAt, checkpointOf, type Entry, head, PAGE, readBehind } from './log.ts';
import type { Tail } from './tail.ts';

/** The most that goes in one push: events, and bytes of their text. */
export const PUSH_EVENTS = 1_000;
const PUSH_BYTES = 500 * 1024;

/** What to push next: the events behind `after` that are not parked, and the place that the subscriber then has reached. */
export type Batch = { after: Checkpoint; upto: Checkpoint; head: Checkpoint; events: Entry[] };

/** Reads what comes behind a position, at most so many events; parked ones are left out, but `upto` passes them. */
export function readBatch(
  db: Database,
  tail: Tail,
  subscription: string,
  position: number,
  most: number,
): Promise<Batch> {
  return db.read((tx) => {
    const after = tail.at(position) ?? checkpointAt(tx, position) ?? NEW;
    const events: Entry[] = [];
    const size = Math.min(most, PAGE);
    let upto = after;
    let bytes = 0;
    for (let from = position, more = true; more && events.length < most; from += size) {
      const page = tail.behind(from, size) ?? readBehind(tx, from, size);
      const parked = parkedBehind(tx, subscription, from);
      more = page.length === size;
      for (const entry of page) {
        if (!parked.has(entry.position)) {
          bytes += Buffer.byteLength(entry.record) + 1;
          if (events.length > 0 && (events.length === most || bytes > PUSH_BYTES)) {
            more = false;
            break;
          }
          events.push(entry);
        }
        upto = checkpointOf(entry);
      }
    }
    return { after, upto, head: head(tx), events };
  });
}

/** The headers that say which part of the log a push is. */
export const places = ({ after, upto, head }: Batch) => ({
  'event-after': after,
  'event-upto': upto,
  'event-head': head,
});
