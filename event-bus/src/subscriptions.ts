// The subscriptions of the bus, one delivery loop each: those that are configured, the copies that DNS knows, and those that
// are gone; and the share of the work of each copy of a service.
import { lookup } from 'node:dns/promises';
import { Loop } from '@blog/common/core/loop.ts';
import { Problem } from '@blog/common/core/problem.ts';
import { type Configured, configuredBy, copyAt, copyOf, isPattern, isSameCopy } from './copies.ts';
import { Delivery } from './delivery.ts';
import type { Shared } from './pusher.ts';
import { stateOf } from './standing.ts';
import { forget, knownNames, type Subscription } from './subscription.ts';

/** The number of ordinals behind the highest known one that are looked up: a copy may be there before the one below it. */
const AHEAD = 3;
/** The maximum of ordinals: DNS that has an address for any name must not make subscriptions without end. */
const COPIES = 100;

/** DNS: `knows` looks a host up, as connections do; undefined if DNS is in trouble, which says nothing about the host. */
export type Dns = { knows(host: string): Promise<boolean | undefined>; every: number };
const DNS: Dns = {
  knows: (host) =>
    lookup(host).then(
      () => true,
      ({ code }) => (code === 'ENOTFOUND' ? false : undefined),
    ),
  /** The interval at which copies are looked up, in milliseconds. */
  every: 5_000,
};

type Listener = (event: 'known' | 'forgotten', subscription: string) => void;

export class Subscriptions extends Loop {
  protected override stopped = true;
  #deliveries: Delivery[] = [];
  #shared: Shared;
  #configured: Configured[];
  #dns: Dns;
  #looking: Promise<void> | undefined;
  #listener: Listener = () => {};

  constructor(shared: Shared, configured: Configured[], dns = DNS) {
    super();
    this.#shared = shared;
    this.#configured = configured;
    this.#dns = dns;
    shared.tail.onGrowth(() => {
      for (const delivery of this.#deliveries) delivery.wake();
    });
  }

  /** Calls the listener for each subscription that comes or goes. */
  onChange(listener: Listener): void {
    this.#listener = listener;
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

  /** A subscriber has started, and names its copy. */
  started(name: string): void {
    this.#deliveries.find(({ subscription }) => isSameCopy(subscription.name, name))?.hurry();
  }

  /**
   * Forgets what is known of a subscription, its dead letters included. If it comes back it begins at the start of the log.
   * @throws Problem 409 if it answers, or is configured by its name
   */
  async forget(delivery: Delivery): Promise<void> {
    const { name, failures } = delivery.subscription;
    await delivery.command(async ({ subscription }) => {
      if (!subscription.isGone && failures.count === 0)
        throw new Problem(
          409,
          `${name} is ${stateOf(subscription)}: only one that is gone or does not answer can be forgotten.`,
        );
      if (this.#configured.some((entry) => entry.name === name))
        throw new Problem(409, `${name} is in SUBSCRIPTIONS: take it out there, and restart the bus.`);
      await this.#shared.db.write((tx) => forget(tx, name));
      this.#deliveries = this.#deliveries.filter((other) => other !== delivery);
      this.#listener('forgotten', name);
      // Not awaited: a command is a step of that loop.
      delivery.stop();
    });
  }

  /**
   * `index/count`: its place, by ordinal, among the copies of its service that answer. One that fails keeps its share for the
   * timeout of a delivery: longer than a restart takes, so that the others do not take over its work for a moment.
   */
  #shareOf(one: Subscription): string {
    const { deadline } = this.#shared;
    const { service, ordinal: own } = copyOf(one.name);
    const ordinals = this.all
      .filter((other) => other === one || other.answersWithin(deadline))
      .map(({ name }) => copyOf(name))
      .filter((copy) => copy.service === service)
      .map(({ ordinal }) => ordinal)
      .sort((a, b) => a - b);
    return `${ordinals.indexOf(own)}/${ordinals.length}`;
  }

  /** Begins, also once more after `stop`: with what the database says, and nothing in memory. */
  override start(): void {
    this.stopped = false;
    for (const entry of this.#configured) if (!isPattern(entry)) this.#add(entry.name, entry.url);
    super.start();
  }

  protected async run(): Promise<void> {
    // Not awaited: a name that DNS does not answer for must not hold up the end.
    this.#looking ??= this.#lookOut().finally(() => {
      this.#looking = undefined;
    });
  }

  async #lookOut(): Promise<void> {
    const { db, observer } = this.#shared;
    while (!this.stopped) {
      try {
        for (const name of await db.read(knownNames)) this.#remember(name);
        for (const pattern of this.#configured.filter(isPattern)) await this.#look(pattern);
      } catch (error) {
        observer.log.warn({ err: error }, 'cannot look for copies for now');
      }
      await this.interruption.wait(this.#dns.every);
    }
  }

  /** A subscription of the database that is not configured any more is gone. */
  #remember(known: string): void {
    if (this.ofPublisher(known)) return;
    const [copy] = this.#configured.flatMap((entry) => configuredBy(entry, known) ?? []);
    this.#add(copy?.name ?? known, copy?.url ?? null);
  }

  /**
   * Looks up the copies of a service: those up to the highest known one, and the next ones. One name at a time: Node looks
   * names up in two threads, which deliveries need, too.
   */
  async #look(pattern: Configured): Promise<void> {
    const known = this.all.filter(({ name }) => configuredBy(pattern, name)).map(({ name }) => copyOf(name).ordinal);
    const most = Math.min(Math.max(-1, ...known) + AHEAD, COPIES - 1);
    for (let ordinal = 0; ordinal <= most; ordinal += 1) {
      const { name, url } = copyAt(pattern, ordinal);
      const there = await this.#dns.knows(new URL(url).hostname);
      if (this.stopped) return;
      if (there) this.#add(name, url);
      if (there !== undefined) this.find(name)?.setGone(!there);
    }
  }

  /** Adds a subscription, unless it is there: in the order of the configuration, copies by their ordinals. */
  #add(name: string, url: string | null): void {
    if (this.find(name)) return;
    const shareOf = (one: Subscription) => this.#shareOf(one);
    const added = new Delivery({ ...this.#shared, shareOf }, name, url);
    const rank = (one: Subscription) => this.#configured.findIndex((entry) => configuredBy(entry, one.name)) >>> 0;
    this.#deliveries = [...this.#deliveries, added].sort(
      ({ subscription: a }, { subscription: b }) =>
        rank(a) - rank(b) || copyOf(a.name).ordinal - copyOf(b.name).ordinal,
    );
    this.#listener('known', name);
    added.start();
  }

  override async stop(): Promise<void> {
    await Promise.all([super.stop(), ...this.#deliveries.map((delivery) => delivery.stop())]);
    this.#deliveries = [];
  }

  async degraded(): Promise<string[]> {
    if (this.stopped) return [];
    const missing = this.#configured
      .filter((entry) => isPattern(entry) && !this.all.some((one) => !one.isGone && configuredBy(entry, one.name)))
      .map(({ name }) => `No copy of ${name} is found.`);
    const troubles = await Promise.all(this.#deliveries.map((delivery) => delivery.degraded()));
    return [...missing, ...troubles.flat()];
  }
}
