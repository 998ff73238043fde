import { type Checkpoint, NEW } from '@blog/common/checkpoint.ts';
import type { Database } from '@blog/common/database.ts';
import { parkedBehind } from './dead-letters.ts';
import { checkpointAt, type Entry, head, readPage } from './log.ts';

/** The most that goes in one push: events, and bytes of their text. */
export const PUSH_EVENTS = 1_000;
const PUSH_BYTES = 500 * 1024;

/** What to push next: the events behind `after` that are not parked, and the place that the subscriber then has reached. */
export type Batch = { after: Checkpoint; upto: Checkpoint; head: Checkpoint; events: Entry[] };

/** Reads what comes behind a position, at most so many events; parked ones are left out, but `upto` passes them. */
export async function readBatch(db: Database, subscription: string, position: number, most: number): Promise<Batch> {
  const events: Entry[] = [];
  let bytes = 0;
  let next: number | undefined = position;
  let upto: Checkpoint | undefined;
  while (next !== undefined && events.length < most && bytes < PUSH_BYTES) {
    const from: number = next;
    const page = await db.read((tx) => ({
      ...readPage(tx, { after: from }, most),
      parked: parkedBehind(tx, subscription, from),
    }));
    next = page.next;
    for (const entry of page.entries) {
      const size = Buffer.byteLength(entry.record) + 1;
      const parked = page.parked.has(entry.position);
      if (!parked && events.length > 0 && (events.length === most || bytes + size > PUSH_BYTES)) {
        next = undefined;
        break;
      }
      upto = `${entry.position}-${entry.checksum}`;
      if (parked) continue;
      events.push(entry);
      bytes += size;
    }
  }
  return db.read((tx) => {
    const after = checkpointAt(tx, position) ?? NEW;
    return { after, upto: upto ?? after, head: head(tx), events };
  });
}

/** The headers that say which part of the log a push is. */
export const places = ({ after, upto, head }: Batch) => ({
  'event-after': after,
  'event-upto': upto,
  'event-head': head,
});
