// The batches of one subscription: the events behind its position, without those that are parked.
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Checkpoint, NEW, positionOf } from '@blog/common/core/checkpoint.ts';
import type { Database } from '@blog/common/core/database.ts';
import { firstOf } from '@blog/common/core/rows.ts';
import { parkedBetween } from './dead-letters.ts';
import { checkpointAt, checkpointOf, type Entry, head, readBehind } from './log.ts';
import type { Tail } from './tail.ts';

/** The maximum of one push: events, and bytes of their text. One read looks at no more events of the log, either. */
export const PUSH_EVENTS = 1_000;
const PUSH_BYTES = 500 * 1024;
const bytesOf = ({ record }: Entry): number => Buffer.byteLength(record) + 1; // with the comma behind it

/**
 * The next push: the events behind `after` that are not parked, and the checkpoint that the subscriber then has reached.
 * `first` is the one right before the first event: everything between `after` and `first` is parked.
 */
export type Batch = { after: Checkpoint; first: Checkpoint; upto: Checkpoint; head: Checkpoint; events: Entry[] };

/** The headers that say which part of the log a push is. */
export const pushHeaders = ({ after, upto, head }: Batch) => ({
  'event-after': after,
  'event-upto': upto,
  'event-head': head,
});

export class BatchReader {
  #db: Database;
  #tail: Tail;
  #subscription: string;
  /** The batch behind the one that is under way, read in the meantime. */
  #prepared: { after: number; batch: Promise<Batch> } | undefined;
  /** Everything between these two positions is parked: reading goes on from `first` while the subscriber is at `after`. */
  #parked = { after: 0, first: 0 };

  constructor(db: Database, tail: Tail, subscription: string) {
    this.#db = db;
    this.#tail = tail;
    this.#subscription = subscription;
  }

  /** The batch behind `after`, with at most so many events. Others are served between two reads, however many are parked. */
  async next(after: number, most: number): Promise<Batch> {
    for (;;) {
      const prepared = this.#prepared;
      this.#prepared = undefined;
      const batch = await (most > 1 && prepared?.after === after ? prepared.batch : this.#read(after, most));
      this.#parked = { after, first: positionOf(batch.first) };
      if (batch.events.length > 0 || batch.upto === batch.head) return batch;
      await nextTurn();
    }
  }

  /** Reads the next batch while one is under way. */
  prepare(after: number, most: number): void {
    // In a turn of its own: the batch before it has to leave first.
    const batch = nextTurn().then(() => this.#read(after, most));
    // The error is rethrown to `next`; if nothing awaits the batch, it is ignored.
    batch.catch(() => {});
    this.#prepared = { after, batch };
  }

  /** Throws the prepared batch away: something has changed. */
  discard(): void {
    this.#prepared = undefined;
  }

  /** Events up to this position may not be parked any more: after a redelivery, or before a replay. */
  unparked(position = Number.MAX_SAFE_INTEGER): void {
    if (position > this.#parked.after) this.#parked = { after: 0, first: 0 };
  }

  /**
   * A batch without events that ends before the head is no end: a read looks at a bounded part of the log, however many
   * events are parked.
   */
  #read(after: number, most: number): Promise<Batch> {
    const from = this.#parked.after === after ? this.#parked.first : after;
    return this.#db.read((tx) => {
      const end = head(tx);
      const held = this.#tail.endsAt(end) ? this.#tail : undefined;
      const checkpoint = (at: number) => held?.at(at) ?? checkpointAt(tx, at) ?? NEW;
      const parked = parkedBetween(tx, this.#subscription, from, from + PUSH_EVENTS);
      let run = 0;
      while (parked.has(from + 1 + run)) run += 1;
      const size = Math.min(run + most, PUSH_EVENTS);
      const events: Entry[] = [];
      let first = checkpoint(from);
      let upto = first;
      const next = held?.behind(from, size) ?? readBehind(tx, from, size);
      for (const entry of firstOf(next, size, PUSH_BYTES, bytesOf).rows) {
        if (!parked.has(entry.position)) events.push(entry);
        upto = checkpointOf(entry);
        if (events.length === 0) first = upto;
      }
      return { after: checkpoint(after), first, upto, head: end, events };
    });
  }
}
