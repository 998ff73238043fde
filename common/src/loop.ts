import { Signal } from './retry.ts';

/** How long an exchange under way may still take when its loop has to end, in milliseconds. */
const LAST_EXCHANGE = 1_500;

/** Work that goes on beside the requests, from when the server listens until it stops. */
export abstract class Loop {
  protected stopped = false;
  /** Raised when there may be something to do, and at the end. */
  protected readonly work = new Signal();
  /** Raised only for what cannot wait for the next attempt: the end, or a person. */
  protected readonly urgent = new Signal();
  readonly #ending = new AbortController();
  #running: Promise<void> | undefined;

  start(): void {
    this.#running = this.run();
  }

  /** Ends the loop soon. */
  async stop(): Promise<void> {
    this.stopped = true;
    this.interrupt();
    const timer = setTimeout(() => this.#ending.abort(), LAST_EXCHANGE);
    await this.#running;
    clearTimeout(timer);
  }

  protected interrupt(): void {
    this.work.raise();
    this.urgent.raise();
  }

  /** Ends exchanges that take too long when the loop has to end. */
  protected get ending(): AbortSignal {
    return this.#ending.signal;
  }

  protected abstract run(): Promise<void>;

  /** What is degraded just now, for `/readyz`: it never makes a part unready. */
  abstract degraded(): Promise<string[]>;
}
