// Server-Sent Events for any number of readers (HTML Standard §9.2).
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Response } from 'express';
import type { Database } from '../core/database.ts';
import { Signal } from '../core/loop.ts';
import { unavailable } from '../core/problem.ts';
import type { Tx } from '../core/sqlite.ts';

/** The interval at which a comment line keeps an idle stream open, in milliseconds. */
const KEEP_OPEN = 15_000;

/** The maximum of readers of one server; each holds a connection and a little memory. */
const READERS = 2_000;

/** The messages of a stream behind a position, as text ('' if there are none), and the position that they lead to. */
export type Step = { text: string; upto: number };

/** Backpressure: a reader is a cursor into the database, never a queue. While its socket is full, nothing is read for it. */
export class Streams {
  #open = new Map<Response, Signal>();
  #shared: ReturnType<typeof shareReads<Step>>;
  #limit: number;

  constructor(db: Database, limit = READERS) {
    this.#shared = shareReads(db);
    this.#limit = limit;
    db.onCommit(() => {
      for (const signal of this.#open.values()) signal.raise();
    });
  }

  get readers(): number {
    return this.#open.size;
  }

  /**
   * Sends `first`, then what `read` finds behind it, as it comes, until the reader leaves. Readers at the same position share
   * what is read. The server closes a connection that reads nothing for long (limits.ts).
   * @throws Problem 503 if there are too many readers
   */
  async follow(res: Response, first: Step, read: (tx: Tx, after: number) => Step, onSent = () => {}): Promise<void> {
    // Gone while its position was looked up: there will be no other 'close'.
    if (res.destroyed) return;
    if (this.#open.size >= this.#limit) throw unavailable('There are too many readers of this stream.', 5);
    res.set({ 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store', 'X-Accel-Buffering': 'no' });
    if (res.req.method === 'HEAD') return void res.end();
    /** Raised when there may be something to send, or room for it. */
    const signal = new Signal();
    this.#open.set(res, signal);
    res.on('close', () => {
      this.#open.delete(res);
      signal.raise();
    });
    res.on('drain', () => signal.raise());
    res.flushHeaders();
    if (first.text) res.write(first.text);

    let { upto } = first;
    let lastWrite = performance.now();
    while (this.#open.has(res)) {
      const step = await this.#shared(upto, (tx) => read(tx, upto));
      if (!this.#open.has(res)) break;
      upto = step.upto;
      if (step.text || performance.now() - lastWrite >= KEEP_OPEN - 500) {
        lastWrite = performance.now();
        res.write(step.text || ':\n\n');
        if (step.text) onSent();
        // A socket that takes all at once does not end the turn of the event loop: others are served in between.
        await nextTurn();
      } else await signal.wait(KEEP_OPEN);
      while (this.#open.has(res) && res.writableNeedDrain) await signal.wait();
    }
  }

  /** Ends every stream: the readers come back to the next process. One that does not read is not waited for. */
  end(): void {
    for (const res of this.#open.keys()) {
      if (res.writableNeedDrain) res.destroy();
      else res.end();
    }
    this.#open.clear();
  }
}

/** One message. Without an id the reader's `Last-Event-ID` stays as it is. */
export const message = (data: string, id?: string): string => `${id ? `id: ${id}\n` : ''}data: ${data}\n\n`;

/** The message after which a reader reads the list again, and goes on from `id`. */
export const reset = (id: string): string => `event: reset\n${message('{}', id)}`;

/**
 * Shares what is read for readers that ask the same, as nearly all do, until the next commit: also one of another process,
 * because two processes of one part may run for a moment.
 */
export function shareReads<T>(db: Database) {
  let latest: { asked: string | number; version: number; answer: Promise<T> } | undefined;
  return async (asked: string | number, read: (tx: Tx) => T): Promise<T> => {
    const { version } = db;
    if (latest?.asked !== asked || latest.version !== version) {
      latest = { asked, version, answer: db.read(read) };
      latest.answer.catch(() => {
        latest = undefined;
      });
    }
    return latest.answer;
  };
}
