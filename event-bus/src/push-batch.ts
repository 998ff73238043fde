// The batches of one subscription: the events behind its position, without those that are parked.
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Checkpoint, NEW, positionOf } from '@blog/common/core/checkpoint.ts';
import type { Database } from '@blog/common/core/database.ts';
import { firstOf } from '@blog/common/core/rows.ts';
import type { Tx } from '@blog/common/core/sqlite.ts';
import { parkedBetween } from './dead-letters.ts';
import { checkpointAt, checkpointOf, type Entry, head as headOf } from './log.ts';
import type { Tail } from './tail.ts';

/** The maximum of one push: events, and bytes of their text. One read looks at no more positions, either. */
export const PUSH_EVENTS = 1_000;
const PUSH_BYTES = 500 * 1024;
const bytesOf = ({ record }: Entry): number => Buffer.byteLength(record) + 1; // with the comma behind it

/** A push: the events behind `after` that are not parked, and the checkpoint that the subscriber reaches with them. */
export type Batch = { after: Checkpoint; upto: Checkpoint; head: Checkpoint; events: Entry[] };

export class BatchReader {
  #db: Database;
  #tail: Tail;
  #subscription: string;
  /** The batch behind the one that is under way, read in the meantime. */
  #prepared: { after: number; batch: Promise<Batch> } | undefined;

  constructor(db: Database, tail: Tail, subscription: string) {
    this.#db = db;
    this.#tail = tail;
    this.#subscription = subscription;
  }

  /** The batch behind `after`, with at most so many events; without any only if nothing else is left before the head. */
  next(after: number, most: number): Promise<Batch> {
    const prepared = this.#prepared;
    this.#prepared = undefined;
    return most > 1 && prepared?.after === after ? prepared.batch : this.#read(after, most);
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

  /** Others are served between two reads, however many events are parked. */
  async #read(after: number, most: number): Promise<Batch> {
    for (let from = after; ; await nextTurn()) {
      const batch = await this.#db.read((tx) => this.#find(tx, after, from, most));
      if (batch.events.length > 0 || batch.upto === batch.head) return batch;
      from = positionOf(batch.upto);
    }
  }

  /** Passes the run of parked events behind `from`, then reads: a bounded part of the log each time. */
  #find(tx: Tx, after: number, from: number, most: number): Batch {
    const end = from + PUSH_EVENTS;
    const parked = parkedBetween(tx, this.#subscription, from, end);
    let first = from;
    while (parked.has(first + 1)) first += 1;
    const limit = Math.min(most, end - first);
    const head = headOf(tx);
    const { rows } = firstOf(this.#tail.readBehind(tx, head, first, limit), limit, PUSH_BYTES, bytesOf);
    const checkpoint = (position: number) => checkpointAt(tx, position) ?? NEW;
    const last = rows.at(-1);
    const upto = last ? checkpointOf(last) : checkpoint(first);
    return { after: checkpoint(after), upto, head, events: rows.filter(({ position }) => !parked.has(position)) };
  }
}
