/** How long to wait before the next attempt, in milliseconds: full jitter below a bound that doubles, 100 ms to `longest`. */
export const backoff = (attempt: number, longest = 5_000): number =>
  Math.random() * Math.min(longest, 100 * 2 ** Math.min(attempt, 10));

/** How long an answer with `Retry-After` (seconds, RFC 9110 §10.2.3) asks to wait, in milliseconds, at most `cap`. */
export function retryAfter(status: number, header: unknown, cap = 10_000): number {
  const seconds = status === 429 || status === 503 ? Number(header) : 0;
  return seconds > 0 ? Math.min(seconds * 1_000, cap) : 0;
}

/**
 * How long to wait after an exchange of so many events that left nothing behind, in milliseconds: under load the next one
 * has more in it, for an exchange costs as much as many events. After a few events it is nothing.
 */
export const gathering = (events: number): number => Math.min(10, Math.floor(events / 10));

/** Wakes one loop. What is raised while nobody waits ends the next wait at once. */
export class Signal {
  #raised = false;
  #notify: (() => void) | undefined;

  raise(): void {
    this.#raised = true;
    this.#notify?.();
  }

  /** Resolves when raised, or after so many milliseconds. */
  async wait(milliseconds?: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    if (!this.#raised) {
      await new Promise<void>((resolve) => {
        this.#notify = resolve;
        if (milliseconds !== undefined) timer = setTimeout(resolve, milliseconds);
      });
    }
    clearTimeout(timer);
    this.#notify = undefined;
    this.#raised = false;
  }
}

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
