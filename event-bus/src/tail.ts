// The newest entries of the log, in memory.
import type { Checkpoint } from '@blog/common/core/checkpoint.ts';
import type { Tx } from '@blog/common/core/sqlite.ts';
import { checkpointOf, type Entry, readBehind } from './log.ts';

/** The maximum size of the tail, in characters of its records. */
const HELD = 2 * 1024 * 1024;

/**
 * The newest entries of the log, held from when they were committed: subscriptions that keep up, which are nearly always
 * all of them, do not read each event from the database again.
 */
export class Tail {
  #entries: Entry[] = [];
  #held = 0;
  #listeners: (() => void)[] = [];

  /** Calls the listener after each growth: not after every commit, which may only have moved a position. */
  onGrowth(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** Takes what was committed. */
  grow(entries: Entry[]): void {
    for (const entry of entries) {
      if (this.#entries.at(-1)?.position !== entry.position - 1) {
        this.#entries = [];
        this.#held = 0;
      }
      this.#entries.push(entry);
      this.#held += entry.record.length;
    }
    while (this.#held > HELD) this.#held -= this.#entries.shift()?.record.length ?? 0;
    for (const listener of this.#listeners) listener();
  }

  /** The next entries behind a position: held ones, unless another process has appended meanwhile, while it stops. */
  readBehind(tx: Tx, head: Checkpoint, after: number, limit: number): Entry[] {
    const first = this.#entries[0]?.position ?? Number.POSITIVE_INFINITY;
    const last = this.#entries.at(-1);
    if (!last || checkpointOf(last) !== head || after < first - 1) return readBehind(tx, after, limit);
    return this.#entries.slice(after + 1 - first, after + 1 - first + limit);
  }
}
