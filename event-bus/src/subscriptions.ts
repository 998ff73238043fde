// The subscriptions of the bus, one delivery loop each: those that are configured, the copies that DNS knows, and those that
// are gone; and the share of the work of each copy of a service.
import { lookup } from 'node:dns/promises';
import { Loop } from '@blog/common/core/loop.ts';
import { Problem } from '@blog/common/core/problem.ts';
import { type Configured, copyAt, copyOf, covers, isPattern, isSameCopy } from './copies.ts';
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
  #deliveries: Delivery[] = [];
  #shared: Shared;
  #configured: Configured[];
  #dns: Dns;
  #listener: Listener = () => {};

  constructor(shared: Shared, configured: Configured[], dns = DNS) {
    super();
    this.#shared = shared;
    this.#configured = configured;
    this.#dns = dns;
    for (const { name, url } of configured.filter((entry) => !isPattern(entry))) this.#add(name, url);
    shared.tail.onGrowth(() => {
      if (!shared.leads()) this.#dropForgotten().catch(() => {});
      for (const delivery of this.#deliveries) delivery.wake();
    });
  }

  /** Calls the listener for each subscription, now and when one comes or goes. */
  onChange(listener: Listener): void {
    this.#listener = listener;
    for (const { name } of this.all) listener('known', name);
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
      this.#drop(delivery);
    });
  }

  #drop(delivery: Delivery): void {
    this.#deliveries = this.#deliveries.filter((other) => other !== delivery);
    this.#listener('forgotten', delivery.subscription.name);
    // Not awaited: a command is a step of that loop.
    delivery.stop();
  }

  /** Leaves out the subscriptions that another copy of the bus has forgotten: they do not come back when this one leads. */
  async #dropForgotten(): Promise<void> {
    const gone = this.#deliveries.filter(({ subscription }) => subscription.isGone);
    if (gone.length === 0) return;
    const known = await this.#shared.db.read(knownNames);
    for (const delivery of gone) if (!known.includes(delivery.subscription.name)) this.#drop(delivery);
  }

  #add(name: string, url: string | null): Delivery {
    const shareOf = (one: Subscription) => this.#shareOf(one);
    const added = new Delivery({ ...this.#shared, shareOf }, name, url);
    const rank = (one: Subscription) => this.#configured.findIndex((entry) => covers(entry, one.name)) >>> 0;
    this.#deliveries = [...this.#deliveries, added].sort(
      ({ subscription: a }, { subscription: b }) =>
        rank(a) - rank(b) || copyOf(a.name).ordinal - copyOf(b.name).ordinal,
    );
    this.#listener('known', name);
    return added;
  }

  /**
   * `index/count`: its place, by ordinal, among the copies of its service that answer. One that fails keeps its share for the
   * timeout of a delivery: longer than a restart takes, so that the others do not take over its work for a moment.
   */
  #shareOf(one: Subscription): string {
    const { deadline } = this.#shared;
    const ordinals = this.all
      .filter((other) => other === one || (other.service === one.service && other.answersWithin(deadline)))
      .map(({ name }) => copyOf(name).ordinal)
      .sort((a, b) => a - b);
    return `${ordinals.indexOf(copyOf(one.name).ordinal)}/${ordinals.length}`;
  }

  protected async run(): Promise<void> {
    for (const delivery of this.#deliveries) delivery.start();
    // Not awaited: a name that DNS does not answer for must not hold up the end.
    this.#lookOut();
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
    const entry = this.#configured.find((entry) => covers(entry, known));
    const { name, url } = entry ? copyAt(entry, copyOf(known).ordinal) : { name: known, url: null };
    this.#add(name, url).start();
  }

  /**
   * Looks up the copies of a service: those up to the highest known one, and the next ones. One name at a time: Node looks
   * names up in two threads, which deliveries need, too.
   */
  async #look(pattern: Configured): Promise<void> {
    const known = this.all.filter(({ name }) => covers(pattern, name)).map(({ name }) => copyOf(name).ordinal);
    const most = Math.min(Math.max(-1, ...known) + AHEAD, COPIES - 1);
    for (let ordinal = 0; ordinal <= most; ordinal += 1) {
      const { name, url } = copyAt(pattern, ordinal);
      const there = await this.#dns.knows(new URL(url).hostname);
      if (this.stopped) return;
      if (there && !this.find(name)) this.#add(name, url).start();
      if (there !== undefined) this.find(name)?.setGone(!there);
    }
  }

  override async stop(): Promise<void> {
    await Promise.all([super.stop(), ...this.#deliveries.map((delivery) => delivery.stop())]);
  }

  async degraded(): Promise<string[]> {
    const missing = this.#configured
      .filter((entry) => isPattern(entry) && !this.all.some((one) => !one.isGone && covers(entry, one.name)))
      .map(({ name }) => `No copy of ${name} is found.`);
    return [...missing, ...(await Promise.all(this.#deliveries.map((delivery) => delivery.degraded()))).flat()];
  }
}
