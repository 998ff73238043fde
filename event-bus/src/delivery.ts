// Delivery: the loop of one subscription.
import { reason } from '@blog/common/core/exchange.ts';
import { batching, Loop } from '@blog/common/core/loop.ts';
import type { Observer } from '@blog/common/core/observer.ts';
import { Problem, unavailable } from '@blog/common/core/problem.ts';
import { databaseProblem } from '@blog/common/core/sqlite.ts';
import { type Delivering, Pusher } from './pusher.ts';
import { stateOf } from './standing.ts';
import type { Subscription } from './subscription.ts';

/** Throttles pushes of events that the subscriber does not handle, which only move its checkpoint: one in so many milliseconds. */
const THROTTLE = 250;

/**
 * The loop of one subscription: reads the log behind its position, pushes, advances. Live delivery, catching up and replay are
 * this same loop. At most one exchange is under way; commands of a person take effect between two of them.
 */
export class Delivery extends Loop {
  readonly subscription: Subscription;
  #pusher: Pusher;
  #observer: Observer;
  #leads: () => boolean;
  #commands: (() => Promise<void>)[] = [];
  #pushedAt = Number.NEGATIVE_INFINITY;

  constructor(shared: Delivering, name: string, url: string | null) {
    super();
    this.#observer = shared.observer;
    this.#leads = shared.leads;
    this.#pusher = new Pusher(shared, name, url, this.ending);
    this.subscription = this.#pusher.subscription;
  }

  /** The log has grown. */
  wake(): void {
    this.work.raise();
  }

  /** Its subscriber has started: it does not wait for the next attempt. */
  hurry(): void {
    this.interrupt();
  }

  /** Its name has no address any more, or has one again: then it is asked at once. */
  setGone(isGone: boolean): void {
    const { subscription } = this;
    if (isGone === subscription.isGone) return;
    const { log } = this.#observer;
    log.info({ subscription: subscription.name }, isGone ? 'the copy is gone' : 'the copy is there again');
    subscription.setGone(isGone);
    this.#pusher.askAt = 0;
    this.interrupt();
  }

  protected async run(): Promise<void> {
    while (!this.stopped) {
      try {
        await this.subscription.load();
        for (const command of this.#commands.splice(0)) await command();
        await this.#turn();
      } catch (error) {
        await this.#failed(error);
      }
    }
    for (const command of this.#commands) await command();
  }

  async #turn(): Promise<void> {
    const { subscription } = this;
    const pusher = this.#pusher;
    if (subscription.paused || subscription.isGone || !this.#leads()) return this.interruption.wait();
    if (performance.now() >= pusher.askAt) await pusher.ask();
    const { order, divergence, failures } = subscription;
    const batch = divergence && !order ? undefined : await pusher.next();
    const isNew = batch && batch.upto !== batch.after;
    const now = performance.now();
    const isIgnored = isNew && batch.upto === batch.head && !pusher.handles(batch.events);
    const throttled = isIgnored ? Math.max(0, this.#pushedAt + THROTTLE - now) : 0;
    if (batch && (order || (isNew && throttled === 0))) {
      await pusher.push(batch);
      this.#pushedAt = performance.now();
      failures.end();
      if (batch.upto === batch.head) await this.interruption.wait(batching(batch.events.length));
    } else {
      failures.end();
      await this.work.wait(throttled || Math.max(0, pusher.askAt - now));
    }
  }

  async #failed(error: unknown): Promise<void> {
    const pusher = this.#pusher;
    this.#observer.step('failed', [], { subscription: this.subscription.name });
    pusher.size = 1;
    pusher.askAt = 0;
    const known = error instanceof Problem ? error : databaseProblem(error);
    const why = (known?.message ?? reason(error)).replace(/\.$/, '');
    const pause = this.subscription.failures.add(why, 1_000 * (known?.extra.retryAfter ?? 0));
    await this.interruption.wait(pause);
  }

  /** Runs a command of a person between two exchanges. */
  command(work: (pusher: Pusher) => Promise<void>): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.stopped) return reject(unavailable('The bus is stopping.'));
      this.#commands.push(async () => {
        this.#pusher.batches.discard();
        await work(this.#pusher).then(resolve, reject);
      });
      this.interrupt();
    });
  }

  async degraded(): Promise<string[]> {
    const { name, isGone, divergence, failures } = this.subscription;
    if (isGone) return [];
    if (divergence) return [`${name} is diverged: ${divergence}.`];
    const isRetrying = stateOf(this.subscription) === 'retrying';
    return isRetrying ? [`Delivery to ${name} is being tried again: ${failures.reason}.`] : [];
  }
}
