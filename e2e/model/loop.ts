// The delivery to one subscription, its dead letters, and the commands of a person.

import assert from 'node:assert/strict';
import type { Bus } from './bus.ts';
import { type Answer, type Entry, NEW, type Push, positionOf } from './types.ts';

/** The maximum batch size, and the refusals after which an event is parked; both smaller than the real ones. */
const LARGEST = 8;
const REFUSALS = 2;

type Order = { id: string; from: number };
export type Subscription = { position: number; paused: boolean; order?: Order };
/** A dead letter. */
export type Letter = { subscription: string; entry: Entry };
type Batch = { events: Entry[]; after: number; upto: number };
type InFlight = { exchange: number } & (
  | { kind: 'ask' }
  | { kind: 'push'; batch: Batch; order?: Order }
  | { kind: 'redelivery'; letter: Letter }
);

/**
 * The delivery to one subscriber, with at most one exchange in flight. A crash of the bus loses everything but the
 * subscription.
 */
export class Loop {
  kind: 'unknown' | 'checkpointed' | 'plain' = 'unknown';
  divergedPublisher = false;
  #divergedSubscriber = false;
  #size = LARGEST;
  #refusals = { position: 0, count: 0 };
  #inFlight: InFlight | undefined;
  #prepared: Batch | undefined;
  /** Commands of a person, run between two exchanges. */
  #commands: (() => void)[] = [];
  /** Only with planted bugs: passed, but not parked yet. */
  #skipped = new Set<number>();
  #bus: Bus;
  #name: string;

  constructor(bus: Bus, name: string) {
    this.#bus = bus;
    this.#name = name;
  }

  get subscription(): Subscription {
    const subscription = this.#bus.disk.subscriptions.get(this.#name);
    assert(subscription, `no subscription ${this.#name}`);
    return subscription;
  }

  get isDiverged(): boolean {
    return this.#divergedSubscriber || this.divergedPublisher;
  }

  /** True if only tasks for a person are left. */
  get isQuiet(): boolean {
    const { order, position } = this.subscription;
    if (this.#inFlight?.kind === 'push' || this.#commands.length > 0 || order || this.kind === 'unknown') return false;
    return this.isDiverged || position === this.#bus.disk.entries.length;
  }

  /** Takes the next step. */
  turn(): string | undefined {
    const { bugs } = this.#bus.world;
    const { subscription } = this;
    this.#bus.commitLate();
    if (this.#inFlight) {
      if (this.#inFlight.kind !== 'push' || this.#inFlight.order || this.#prepared) return;
      this.#prepared = this.#read(this.#inFlight.batch.upto);
      return `prepares behind ${this.#prepared.after}`;
    }
    const command = this.#commands.shift();
    if (command) {
      if (!bugs.has('a prepared batch survives a replay')) this.#prepared = undefined;
      command();
      return 'does what a person ordered';
    }
    const { order } = subscription;
    const prepared = this.#prepared;
    this.#prepared = undefined;
    if (this.kind === 'unknown' || subscription.paused || (this.isDiverged && !order)) return this.#ask();

    const after = order ? order.from - 1 : subscription.position;
    const reuse = prepared && (prepared.after === after || bugs.has('a prepared batch survives a replay'));
    const batch = reuse ? prepared : this.#read(after);
    if (batch.upto === after && !order) return this.#ask();
    if (this.kind === 'plain' && batch.events.length === 0) {
      subscription.position = batch.upto;
      return `passes parked events up to ${batch.upto}`;
    }
    const form = this.kind === 'plain' ? 'plain' : 'batch';
    const range = { after: this.#bus.at(batch.after), upto: this.#bus.at(batch.upto) };
    const push: Push = { kind: 'push', form, events: batch.events, ...range, replay: order?.id };
    this.#inFlight = { kind: 'push', exchange: this.#send(push), batch, order };
    if (bugs.has('an order is forgotten once it is sent')) subscription.order = undefined;
    return `pushes ${batch.after}..${batch.upto}${order ? `, order ${order.id}` : ''}`;
  }

  #send(request: Push | { kind: 'ask' }): number {
    return this.#bus.world.send('bus', this.#name, request);
  }

  #ask(): string {
    this.#inFlight = { kind: 'ask', exchange: this.#send({ kind: 'ask' }) };
    return 'asks';
  }

  #read(after: number): Batch {
    const most = this.kind === 'plain' ? 1 : this.#size;
    const events: Entry[] = [];
    let upto = after;
    for (const entry of this.#bus.disk.entries.slice(after)) {
      const isParked = this.#isParked(entry);
      if (!isParked && events.length === most) break;
      upto = entry.position;
      if (!isParked) events.push(entry);
    }
    if (events.length === 0 && this.#bus.world.bugs.has('parked events at the head are never passed')) upto = after;
    return { events, after, upto };
  }

  #isParked({ position }: Entry): boolean {
    const isThis = ({ subscription, entry }: Letter) => subscription === this.#name && entry.position === position;
    return this.#bus.disk.letters.some(isThis) || this.#skipped.has(position);
  }

  /** Handles the answer to an exchange. An answer to an exchange that was given up has no effect. */
  answered(exchange: number, answer: Answer): void {
    const inFlight = this.#inFlight;
    const { bugs } = this.#bus.world;
    if (inFlight?.exchange !== exchange) {
      if (!bugs.has('an old answer counts as the checkpoint after a replay') || !answer.checkpoint) return;
      this.subscription.order = undefined;
      this.#moveTo(answer);
      return;
    }
    this.#inFlight = undefined;
    const isSuccess = answer.status >= 200 && answer.status < 300;
    if (inFlight.kind === 'ask') {
      if (isSuccess && answer.checkpoint) this.#moveTo(answer);
      else if (isSuccess || answer.status === 404) this.#becomePlain();
      else this.#failed();
    } else if (inFlight.kind === 'redelivery') {
      if (isSuccess) this.#removeLetter(inFlight.letter);
    } else if (this.kind === 'plain') {
      if (isSuccess && answer.checkpoint) this.kind = 'unknown';
      else if (isSuccess) this.subscription.position = inFlight.batch.upto;
      else this.#refused(inFlight.batch, answer.status);
    } else if (answer.checkpoint && (isSuccess || answer.status === 409)) {
      this.#moveTo(answer);
      // The order was not taken, else the answer would name it.
      if (inFlight.order && answer.status === 409) this.subscription.order = undefined;
      if (isSuccess) this.#size = Math.min(LARGEST, this.#size * 2);
      else this.#failed();
    } else if (isSuccess && bugs.has('the bus advances on a bare 2xx to a batch')) {
      this.subscription.position = inFlight.batch.upto;
    } else {
      this.#refused(inFlight.batch, answer.status);
    }
  }

  timeout(): string | undefined {
    if (!this.#inFlight) return;
    this.#failed();
    return 'waits no longer';
  }

  #failed(): void {
    this.#inFlight = undefined;
    this.#prepared = undefined;
    this.kind = 'unknown';
    this.#size = 1;
  }

  #refused({ events: [entry, more] }: Batch, status: number): void {
    this.#failed();
    if (!entry || more || status !== 422) return;
    const { position } = entry;
    const count = this.#refusals.position === position ? this.#refusals.count + 1 : 1;
    this.#refusals = { position, count };
    if (count >= REFUSALS) this.#park(entry);
  }

  #park(entry: Entry): void {
    const write = () => this.#bus.disk.letters.push({ subscription: this.#name, entry });
    if (!this.#bus.world.bugs.has('a dead letter is written after the loop moves on')) return void write();
    this.#skipped.add(entry.position);
    this.#bus.commitLater(20, write);
  }

  #removeLetter(letter: Letter): void {
    this.#bus.disk.letters = this.#bus.disk.letters.filter((other) => other !== letter);
  }

  /** Moves to the subscriber's own checkpoint, if this log has it. */
  #moveTo({ checkpoint = NEW, replay }: Answer): void {
    const { subscription } = this;
    this.kind = 'checkpointed';
    if (subscription.order && replay === subscription.order.id) {
      this.divergedPublisher = false;
      subscription.order = undefined;
    }
    this.#divergedSubscriber = !this.#bus.knows(checkpoint);
    if (!this.#divergedSubscriber) subscription.position = positionOf(checkpoint);
  }

  /** A plain subscriber has no checkpoint, so a replay order sets the position. */
  #becomePlain(): void {
    const { subscription } = this;
    this.kind = 'plain';
    this.#divergedSubscriber = false;
    if (subscription.order) subscription.position = subscription.order.from - 1;
    subscription.order = undefined;
  }

  // ---- Commands of a person

  replay(from = 1): void {
    this.#commands.push(() => {
      const most = this.isDiverged ? 1 : this.subscription.position + 1;
      this.subscription.order = { id: this.#bus.world.uuid(), from: Math.min(from, most) };
      if (this.kind === 'plain') this.#becomePlain();
    });
  }

  /** Parks the event on which the subscription is stuck. */
  skip(): void {
    this.#commands.push(() => {
      const [entry] = this.isDiverged ? [] : this.#read(this.subscription.position).events;
      if (entry) this.#park(entry);
    });
  }

  redeliver(letter: Letter): void {
    this.#commands.push(() => {
      if (!this.#bus.disk.letters.includes(letter)) return;
      const exchange = this.#send({ kind: 'push', form: 'plain', events: [letter.entry] });
      this.#inFlight = { kind: 'redelivery', exchange, letter };
      if (this.#bus.world.bugs.has('a dead letter goes before it is redelivered')) this.#removeLetter(letter);
    });
  }
}
