import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Response } from 'express';
import type { Database, Tx } from '../core/database.ts';
import { Signal } from '../core/loop.ts';
import type { Metrics } from '../observe/metrics.ts';
import { unavailable } from './problem.ts';

/** A comment line keeps an idle stream open. In milliseconds. */
const KEEP_OPEN = 15_000;

/** How many readers one server has; each holds a connection and a little memory. */
const READERS = 2_000;

/**
 * Server-Sent Events for any number of readers (HTML Standard §9.2). A reader is a cursor into the database and never a
 * queue: while its socket is full, nothing is read for it. The server closes who reads nothing for long (limits.ts).
 */
export class Streams {
  #open = new Map<Response, Signal>();
  #limit: number;

  constructor(db: Database, metrics: Metrics, limit = READERS) {
    this.#limit = limit;
    metrics.gauges({ stream_readers: 'Readers of the stream.' }, () => ({ stream_readers: this.#open.size }));
    db.onCommit(() => {
      for (const signal of this.#open.values()) signal.raise();
    });
  }

  get readers(): number {
    return this.#open.size;
  }

  /**
   * Writes `first`, then what `next` returns, as it comes, until the reader leaves. '' means that there is nothing new.
   * @throws Problem 503 if there are too many readers
   */
  async serve(res: Response, next: () => Promise<string>, first = ''): Promise<void> {
    // Gone while its place was looked up: it will not tell us again.
    if (res.destroyed) return;
    if (this.#open.size >= this.#limit) throw unavailable('There are too many readers of this stream.', 5);
    res.set({ 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store', 'X-Accel-Buffering': 'no' });
    if (res.req.method === 'HEAD') return void res.end();
    const changed = new Signal();
    const drained = new Signal();
    this.#open.set(res, changed);
    res.on('close', () => {
      this.#open.delete(res);
      changed.raise();
      drained.raise();
    });
    res.on('drain', () => drained.raise());
    res.flushHeaders();
    if (first) res.write(first);

    let lastWrite = performance.now();
    while (this.#open.has(res)) {
      const text = (await next()) || (performance.now() - lastWrite >= KEEP_OPEN - 500 ? ':\n\n' : '');
      if (!this.#open.has(res)) break;
      if (text === '') {
        await changed.wait(KEEP_OPEN);
        continue;
      }
      lastWrite = performance.now();
      res.write(text);
      // A socket that takes all at once does not end the turn of the event loop: who is far behind lets others be served.
      await nextTurn();
      while (this.#open.has(res) && res.writableNeedDrain) await drained.wait();
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

/** Tells the reader to read the list again, and that it goes on from `id`. */
export const reset = (id: string): string => `event: reset\n${message('{}', id)}`;

/** What comes next behind a place, as text for readers, and the place that it leads to. '' means that there is nothing new. */
export type Step = { text: string; upto: number };

/**
 * Readers that ask the same, as nearly all do, share what is read and written as text for them, until the next commit: also
 * of another process, because two of one part may run for a moment.
 */
export class Shared<T> {
  #db: Database;
  #latest: { asked: unknown; version: number; answer: Promise<T> } | undefined;

  constructor(db: Database) {
    this.#db = db;
  }

  /** What `read` gives for what is `asked`, from the database or from who asked it last. */
  async of(asked: string | number, read: (tx: Tx) => T): Promise<T> {
    const { version } = this.#db;
    if (this.#latest?.asked !== asked || this.#latest.version !== version) {
      const answer = this.#db.read(read);
      answer.catch(() => {
        this.#latest = undefined;
      });
      this.#latest = { asked, version, answer };
    }
    return this.#latest.answer;
  }
}
