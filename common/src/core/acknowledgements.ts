// Callers that wait until the bus has acknowledged their event (`ANSWER_AFTER=log`).
import type { KnownEvent } from './events.ts';
import { unavailable } from './problem.ts';

/** The maximum wait for an acknowledgement, and that of callers still here when this service stops, in milliseconds. */
const PATIENCE = 5_000;
const LAST = 1_000;

/** A caller who waits for the event of this post or comment, which is in this row of the outbox or before it. */
type Caller = { id: string; row: number; resolve: () => void };

export class Acknowledgements {
  #callers = new Set<Caller>();
  #upto = 0;
  #ending = new AbortController();

  /** The bus has all rows of the outbox up to this one. */
  upto(row: number): void {
    this.#upto = row;
    for (const caller of this.#callers) if (caller.row <= row) caller.resolve();
  }

  /** The log has these events: those of callers have come back before the bus's answer. */
  arrived(events: readonly KnownEvent[]): void {
    if (this.#callers.size === 0) return;
    const known = new Set(events.filter(isCreation).map(({ data }) => data.id));
    for (const caller of this.#callers) if (known.has(caller.id)) caller.resolve();
  }

  /** The service stops: whatever is not acknowledged soon is answered with 503. */
  end(): void {
    setTimeout(() => this.#ending.abort(), LAST).unref();
  }

  /**
   * Waits for the event of a post or comment.
   * @throws Problem 503 if that takes too long: it is stored, and will be published
   */
  async of(id: string, row: number): Promise<void> {
    if (row <= this.#upto) return;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const caller = { id, row, resolve };
    const signal = AbortSignal.any([AbortSignal.timeout(PATIENCE), this.#ending.signal]);
    const late = () => reject(unavailable('It is stored, but not in the log yet. Send it again with the same key.'));
    if (signal.aborted) late();
    signal.addEventListener('abort', late);
    this.#callers.add(caller);
    try {
      await promise;
    } finally {
      this.#callers.delete(caller);
      signal.removeEventListener('abort', late);
    }
  }
}

const isCreation = ({ eventId, type, data }: KnownEvent) => /Created$/.test(type) && eventId === `${data.id}/${type}`;
