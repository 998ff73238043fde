import type { Database } from '@blog/common/core/database.ts';
import { reason } from '@blog/common/core/exchange.ts';
import { batching, Loop } from '@blog/common/core/loop.ts';
import type { Observer } from '@blog/common/core/observer.ts';
import { Problem, unavailable } from '@blog/common/core/problem.ts';
import { databaseProblem } from '@blog/common/core/sqlite.ts';
import { BatchReader } from './batch.ts';
import { Failure, Peer } from './peer.ts';
import { pushBatch, pushOne } from './push.ts';
import { degradedBy } from './standing.ts';
import { Subscription } from './subscription.ts';
import type { Tail } from './tail.ts';

type Options = {
  db: Database;
  observer: Observer;
  tail: Tail;
  name: string;
  url: string;
  token?: string;
  /** The maximum time in which a subscriber answers, in milliseconds. */
  deadline: number;
};

/**
 * The loop of one subscription: reads the log behind its position, pushes, advances. Live delivery, catching up and replay are
 * this same loop. At most one exchange is under way; commands of a person take effect between two of them.
 */
export class Delivery extends Loop {
  readonly subscription: Subscription;
  #peer: Peer;
  #observer: Observer;
  #commands: (() => Promise<void>)[] = [];

  constructor({ db, observer, tail, name, url, ...more }: Options) {
    super();
    this.#observer = observer;
    this.subscription = new Subscription(db, observer.log, { name, url });
    const batches = new BatchReader(db, tail, name);
    this.#peer = new Peer({ ...more, db, observer, batches, subscription: this.subscription, ending: this.ending });
    tail.onGrowth(() => this.work.raise());
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
    const peer = this.#peer;
    if (subscription.paused) return this.interruption.wait();
    if (performance.now() >= peer.askAt) await peer.ask();
    const { order, divergence, failures } = subscription;
    const isCheckpointed = subscription.kind === 'checkpointed';
    const batch = divergence && !order ? undefined : await peer.next();
    if (!batch || (batch.upto === batch.after && !order)) {
      failures.end();
      return this.work.wait(Math.max(0, peer.askAt - performance.now()));
    }
    if (isCheckpointed) await pushBatch(peer, batch, this.#observer.log);
    else await pushOne(peer, batch);
    failures.end();
    peer.asked();
    if (batch.upto === batch.head) await this.interruption.wait(batching(batch.events.length));
  }

  async #failed(error: unknown): Promise<void> {
    const { subscription } = this;
    const peer = this.#peer;
    this.#observer.step('failed', [], { subscription: subscription.name });
    peer.size = 1;
    peer.askAt = 0;
    peer.batches.discard();
    const known = error instanceof Failure || error instanceof Problem ? error : databaseProblem(error);
    const why = (known?.message ?? reason(error)).replace(/\.$/, '');
    await this.interruption.wait(subscription.failures.add(why, error instanceof Failure ? error.pause : 0));
  }

  /** Runs a command of a person between two exchanges. */
  command(work: (peer: Peer) => Promise<void>): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.stopped) return reject(unavailable('The bus is stopping.'));
      this.#commands.push(async () => {
        this.#peer.batches.discard();
        await work(this.#peer).then(resolve, reject);
      });
      this.interrupt();
    });
  }

  async degraded(): Promise<string[]> {
    return degradedBy(this.subscription);
  }
}
