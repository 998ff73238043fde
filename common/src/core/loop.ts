// Work that goes on beside the requests: a loop, the signals that wake it, and the pauses after failures.
import type { Log } from './observer.ts';

/** The time that an exchange under way may still take when its loop has to end, in milliseconds. */
const LAST_EXCHANGE = 1_500;

/** Work that goes on from when the server listens until it stops. */
export abstract class Loop {
  protected stopped = false;
  /** Raised when there may be something to do, and by `interrupt`. */
  protected readonly work = new Signal();
  /** Raised only by `interrupt`: the end, or a command of a person, which do not wait for the next attempt. */
  protected readonly interruption = new Signal();
  readonly #end = new AbortController();
  /** Ends exchanges that take too long when the loop has to end. */
  protected readonly ending = this.#end.signal;
  #running: Promise<void> | undefined;

  start(): void {
    this.#running = this.run();
  }

  /** Ends the loop soon. */
  async stop(): Promise<void> {
    this.stopped = true;
    this.interrupt();
    setTimeout(() => this.#end.abort(), LAST_EXCHANGE).unref();
    await this.#running;
  }

  protected interrupt(): void {
    this.work.raise();
    this.interruption.raise();
  }

  protected abstract run(): Promise<void>;

  /** The reasons for which the part is degraded just now, for `/readyz`: they never make it unready. */
  abstract degraded(): Promise<string[]>;
}

/** Wakes one loop. A signal raised while nothing waits ends the next wait at once. */
export class Signal {
  #raised = false;
  #notify = () => {};

  raise(): void {
    this.#raised = true;
    this.#notify();
  }

  /** Resolves when raised, or after so many milliseconds. */
  async wait(milliseconds?: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = milliseconds === undefined ? undefined : setTimeout(resolve, milliseconds);
    this.#notify = resolve;
    if (!this.#raised) await promise;
    clearTimeout(timer);
    this.#raised = false;
  }
}

/** The pause before the next attempt, in milliseconds: exponential backoff with full jitter, 100 ms to `longest`. */
export const backoff = (attempt: number, longest = 5_000): number =>
  Math.random() * Math.min(longest, 100 * 2 ** Math.min(attempt, 10));

/** The pause that an answer asks for with `Retry-After` (seconds, RFC 9110 §10.2.3), in milliseconds, at most 10 s. */
export function retryAfter(status: number, header: unknown): number {
  const seconds = status === 429 || status === 503 ? Number(header) : 0;
  return seconds > 0 ? Math.min(seconds * 1_000, 10_000) : 0;
}

/** The pause after so many events that left nothing behind, in milliseconds: under load the next exchange has more of them. */
export const batching = (events: number): number => Math.min(10, Math.floor(events / 10));

type Reports = { log: Log; begin: string; end: string; fields?: object; from?: number; longest?: number };

/** The failures of attempts in a row: the pauses between them grow, and each reason is logged once. */
export class Failures {
  count = 0;
  reason: string | undefined;
  /** The time of the first of them, by `performance.now()`. */
  since = Number.POSITIVE_INFINITY;
  /** The time of the next attempt, in RFC 3339. */
  nextAttempt: string | undefined;
  #reported: string | undefined;
  #reports: Reports;

  /** `begin` and `end` are log messages; `from` is the number of failures in a row that is worth a line of the log. */
  constructor(reports: Reports) {
    this.#reports = reports;
  }

  /** Counts a failure. Returns the pause before the next attempt, in milliseconds. */
  add(reason: string, atLeast = 0): number {
    const { log, begin, fields, from = 1, longest } = this.#reports;
    this.count += 1;
    this.since = Math.min(this.since, performance.now());
    this.reason = reason;
    if (this.count >= from && reason !== this.#reported) {
      log.warn({ ...fields, reason }, begin);
      this.#reported = reason;
    }
    const pause = Math.max(backoff(this.count, longest), atLeast);
    this.nextAttempt = new Date(Date.now() + pause).toISOString();
    return pause;
  }

  /** An attempt has succeeded. */
  end(): void {
    if (this.#reported) this.#reports.log.info({ ...this.#reports.fields }, this.#reports.end);
    this.count = 0;
    this.reason = undefined;
    this.since = Number.POSITIVE_INFINITY;
    this.nextAttempt = undefined;
    this.#reported = undefined;
  }
}
