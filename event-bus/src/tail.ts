import type { Checkpoint } from '@blog/common/core/checkpoint.ts';
import { checkpointOf, type Entry } from './log.ts';

/** How much of the log's end is held, in characters of its records. */
const HELD = 2 * 1024 * 1024;

/**
 * The newest entries of the log, held from when they were committed: subscriptions that keep up, which are nearly always
 * all of them, do not read each event from the database again. Whoever is further back does.
 */
export class Tail {
  #entries: Entry[] = [];
  #held = 0;
  #listeners: ((entries: Entry[]) => void)[] = [];

  /** Calls the listener with what has come. */
  onGrowth(listener: (entries: Entry[]) => void): void {
    this.#listeners.push(listener);
  }

  /** Takes what was committed. */
  grow(entries: Entry[]): void {
    for (const entry of entries) {
      if (this.#entries.at(-1)?.position !== entry.position - 1) this.#forget();
      this.#entries.push(entry);
      this.#held += entry.record.length;
    }
    while (this.#held > HELD) this.#held -= this.#entries.shift()?.record.length ?? 0;
    for (const listener of this.#listeners) listener(entries);
  }

  /** True unless another process appended meanwhile: an old one, say, while it stops. */
  endsAt(head: Checkpoint): boolean {
    const last = this.#entries.at(-1);
    return last !== undefined && checkpointOf(last) === head;
  }

  /** The checkpoint at a position, if it is held. */
  at(position: number): Checkpoint | undefined {
    const entry = this.#entries[this.#indexOf(position)];
    return entry && checkpointOf(entry);
  }

  /** The entries behind a position, at most so many. Undefined if that reaches further back than the tail. */
  behind(after: number, most: number): Entry[] | undefined {
    const first = this.#indexOf(after) + 1;
    return first >= 0 ? this.#entries.slice(first, first + most) : undefined;
  }

  #indexOf(position: number): number {
    return position - (this.#entries[0]?.position ?? 0);
  }

  #forget(): void {
    this.#entries = [];
    this.#held = 0;
  }
}
