// The subscriptions of the bus, one delivery loop each; and the share of the work of each copy of a service.
import { Loop } from '@blog/common/core/loop.ts';
import { copyOf, isSameCopy } from './copies.ts';
import { Delivery } from './delivery.ts';
import type { Shared } from './pusher.ts';
import type { Subscription } from './subscription.ts';

export class Subscriptions extends Loop {
  #deliveries: Delivery[];
  #deadline: number;

  constructor(shared: Shared, configured: { name: string; url: string }[]) {
    super();
    this.#deadline = shared.deadline;
    const shareOf = (one: Subscription) => this.#shareOf(one);
    this.#deliveries = configured.map(({ name, url }) => new Delivery({ ...shared, shareOf }, name, url));
    shared.tail.onGrowth(() => {
      for (const delivery of this.#deliveries) delivery.wake();
    });
  }

  get all(): Subscription[] {
    return this.#deliveries.map(({ subscription }) => subscription);
  }

  find(name: unknown): Delivery | undefined {
    return this.#deliveries.find(({ subscription }) => subscription.name === name);
  }

  /** The subscription of a publisher, by the name of its copy or by its events' source; without one, undefined. */
  ofPublisher(name: string): Subscription | undefined {
    return this.all.find((one) => isSameCopy(one.name, name));
  }

  /**
   * `index/count`: its place, by ordinal, among the copies of its service that answer. One that fails keeps its share for the
   * timeout of a delivery: longer than a restart takes, so that the others do not take over its work for a moment.
   */
  #shareOf(one: Subscription): string {
    const ordinals = this.all
      .filter((other) => other === one || (other.service === one.service && other.answersWithin(this.#deadline)))
      .map(({ name }) => copyOf(name).ordinal)
      .sort((a, b) => a - b);
    return `${ordinals.indexOf(copyOf(one.name).ordinal)}/${ordinals.length}`;
  }

  protected async run(): Promise<void> {
    for (const delivery of this.#deliveries) delivery.start();
  }

  override async stop(): Promise<void> {
    await Promise.all([super.stop(), ...this.#deliveries.map((delivery) => delivery.stop())]);
  }

  async degraded(): Promise<string[]> {
    return (await Promise.all(this.#deliveries.map((delivery) => delivery.degraded()))).flat();
  }
}
