// The rows of the outbox that the bus has acknowledged, and callers that wait for theirs (`ANSWER_AFTER=log`).
import { EventEmitter, once } from 'node:events';
import { unavailable } from './problem.ts';

/** The maximum wait for an acknowledgement, and that of callers still here when this service stops, in milliseconds. */
const PATIENCE = 5_000;
const LAST = 1_000;

export class Acknowledgements {
  /** The last row that the bus has acknowledged since the start. */
  row = 0;
  #moves = new EventEmitter().setMaxListeners(0);
  #ending = new AbortController();

  upto(row: number): void {
    this.row = row;
    this.#moves.emit('moved');
  }

  /**
   * Waits for the acknowledgement of a row.
   * @throws Problem 503 if that takes too long: the event is stored, and will be published
   */
  async of(row: number): Promise<void> {
    const signal = AbortSignal.any([AbortSignal.timeout(PATIENCE), this.#ending.signal]);
    try {
      while (this.row < row) await once(this.#moves, 'moved', { signal });
    } catch {
      throw unavailable('It is stored, but not in the log yet. Send it again with the same key.');
    }
  }

  /** The service stops: callers who would wait for longer are answered. */
  end(): void {
    setTimeout(() => this.#ending.abort(), LAST).unref();
  }
}
