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

  /** Its name has no address any more, or has one again: then it is asked at once. */
  setGone(isGone: boolean): void {
    if (isGone === this.subscription.isGone) return;
    this.subscription.setGone(isGone);
    this.#pusher.askAt = 0;
    this.interrupt();
  }

  protected async run(): Promise<void> {
    while (!this.stopped) {
      try {
        if (this.#leads()) await this.subscription.load();
        for (const command of this.#commands.splice(0)) await command();
        await (this.#leads() ? this.#turn() : this.#rest());
      } catch (error) {
        await this.#failed(error);
      }
    }
    for (const command of this.#commands) await command();
  }

  async #turn(): Promise<void> {
    const { subscription } = this;
    const pusher = this.#pusher;
    if (subscription.paused || subscription.isGone) return this.interruption.wait();
    if (performance.now() >= pusher.askAt) await pusher.ask();
    const { order, divergence } = subscription;
    const batch = divergence && !order ? undefined : await pusher.next();
    const isNew = batch && batch.upto !== batch.after;
    const now = performance.now();
    const isIgnored = isNew && batch.upto === batch.head && !pusher.handles(batch.events);
    const throttled = isIgnored ? Math.max(0, this.#pushedAt + THROTTLE - now) : 0;
    if (batch && (order || (isNew && throttled === 0))) {
      // Once more: the process may have been stopped meanwhile, for longer than its lease.
      if (!this.#leads()) return;
      await pusher.push(batch);
      this.#pushedAt = performance.now();
      subscription.succeeded();
      if (batch.upto === batch.head) await this.interruption.wait(batching(batch.events.length));
    } else {
      subscription.succeeded();
      await this.work.wait(throttled || Math.max(0, pusher.askAt - now));
    }
  }

  /** Another copy of the bus delivers; begins anew once this one does. */
  async #rest(): Promise<void> {
    this.subscription.unload();
    this.#pusher.askAt = 0;
    this.#pusher.batches.discard();
    await this.work.wait();
  }

  async #failed(error: unknown): Promise<void> {
    const pusher = this.#pusher;
    this.#observer.step('failed', [], { subscription: this.subscription.name });
    pusher.size = 1;
    pusher.askAt = 0;
    const known = error instanceof Problem ? error : databaseProblem(error);
    const why = (known?.message ?? reason(error)).replace(/\.$/, '');
    const pause = this.subscription.failed(why, 1_000 * (known?.extra.retryAfter ?? 0));
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
