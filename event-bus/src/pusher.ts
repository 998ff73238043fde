// One subscriber: the question for its checkpoint, the two protocols by which events are pushed, and parking what it refuses.
import { type Progress, positionOf, progressSchema } from '@blog/common/core/checkpoint.ts';
import type { Database } from '@blog/common/core/database.ts';
import { BATCH, PLAIN } from '@blog/common/core/events.ts';
import { type Answer, carry, detailOf, exchange, isSuccess, NoAnswer, reason } from '@blog/common/core/exchange.ts';
import { retryAfter } from '@blog/common/core/loop.ts';
import type { Observer } from '@blog/common/core/observer.ts';
import { Problem } from '@blog/common/core/problem.ts';
import type { Arrivals } from './arrivals.ts';
import { park } from './dead-letters.ts';
import { type Entry, head, knows } from './log.ts';
import { type Batch, BatchReader, PUSH_EVENTS } from './push-batch.ts';
import { Subscription } from './subscription.ts';
import type { Tail } from './tail.ts';

/** The interval at which the subscriber is asked for its checkpoint while nothing is sent, in milliseconds. */
const ASK_EVERY = 5_000;
/** The number of refusals with one of these statuses after which a single event is parked. */
const REFUSALS = 5;
const REFUSED = [400, 413, 422];
/** The number of tries of an event that a plain subscriber leaves without an answer: each costs the whole deadline. */
const SILENCES = 3;
/** Statuses that say nothing about the kind of the subscriber: the question is asked again. */
const BUSY = [429, 503];

/** An answer that is a failure: tried again, after the pause that it asks for. */
export function failureOf(answer: Answer): Problem {
  const { status, headers } = answer;
  const what = isSuccess(answer) ? 'without a checkpoint' : detailOf(answer);
  const seconds = retryAfter(status, headers['retry-after']) / 1_000;
  return new Problem(502, `answered ${status} ${what}`.trim(), { retryAfter: seconds });
}

/** The headers that say which part of the log a push covers. */
const rangeOf = ({ after, upto, head }: Batch) => ({ 'event-after': after, 'event-upto': upto, 'event-head': head });

/** The things that the parts of the bus share. */
export type Shared = {
  leads(): boolean; // true while this copy of the bus delivers
  db: Database;
  observer: Observer;
  tail: Tail;
  arrivals: Arrivals;
  token?: string;
  deadline: number; // the maximum time in which a subscriber answers, in milliseconds
};

/** The same, and the share of each copy for the header `event-share`. */
export type Delivering = Shared & { shareOf(one: Subscription): string };

export class Pusher {
  readonly subscription: Subscription;
  readonly batches: BatchReader;
  /** The maximum of events in the next push: one after a failure, then it doubles with every success. */
  size = PUSH_EVENTS;
  /** The time at which the subscriber is asked next, by `performance.now()`. */
  askAt = 0;
  #shared: Delivering;
  #address: { url: string; token?: string; deadline: number; ending: AbortSignal };
  #handled: Set<string> | undefined;
  #refusals = { position: 0, count: 0 };

  constructor(shared: Delivering, name: string, url: string | null, ending: AbortSignal) {
    const { token, deadline } = shared;
    this.#shared = shared;
    this.#address = { url: url ?? '', token, deadline, ending };
    this.subscription = new Subscription(shared.db, shared.observer.log, name, url);
    this.batches = new BatchReader(shared.db, shared.tail, name);
  }

  get #attempt(): number {
    return this.subscription.failures.count + 1;
  }

  /**
   * Asks, without effect, for the checkpoint. A subscriber that has none is a plain one: a service that only knows POST answers
   * with anything. A checkpointed one is in trouble if it answers 5xx, unless it goes on doing so.
   */
  async ask(): Promise<void> {
    const { subscription } = this;
    const { kind, failures } = subscription;
    // A subscriber may close each connection without saying so: after a failure the next push gets a connection of its own.
    const { db, shareOf } = this.#shared;
    const headers = { 'event-head': await db.read(head), 'event-share': shareOf(subscription), connection: 'close' };
    const answer = await exchange({ ...this.#address, method: 'GET', headers });
    const { status } = answer;
    const progress = progressSchema.safeParse(answer.body).data;
    this.#handled = progress?.handles && new Set(progress.handles);
    const isInTrouble = kind === 'checkpointed' && status >= 500 && failures.count < REFUSALS;
    if (isSuccess(answer) && progress) await this.#progressed(progress);
    else if (BUSY.includes(status) || isInTrouble) throw failureOf(answer);
    else {
      subscription.kind = 'plain';
      subscription.diverge('subscriber', undefined);
    }
    this.askAt = performance.now() + ASK_EVERY;
  }

  /** True if the subscriber handles one of these events; one that does not say what it handles gets all at once. */
  handles(events: Entry[]): boolean {
    return events.some(({ type }) => this.#handled?.has(type) ?? true);
  }

  /** The batch to push next. */
  next(): Promise<Batch> {
    const { after, kind } = this.subscription;
    return this.batches.next(after, kind === 'checkpointed' ? this.size : 1);
  }

  async push(batch: Batch): Promise<void> {
    await (this.subscription.kind === 'checkpointed' ? this.#pushBatch(batch) : this.#pushOne(batch));
    this.askAt = performance.now() + ASK_EVERY;
  }

  /**
   * One batch to a checkpointed subscriber. Only an answer with its progress counts, and any checkpoint other than the end of
   * the batch is a failure: so a subscriber that went back is never pushed to without a pause.
   */
  async #pushBatch(batch: Batch): Promise<void> {
    const { subscription, batches } = this;
    const { name, order } = subscription;
    const sent = this.send(batch.events, BATCH, { ...rangeOf(batch), 'event-replay': order?.id });
    const larger = Math.min(this.size * 2, PUSH_EVENTS);
    if (batch.upto !== batch.head && !order) batches.prepare(positionOf(batch.upto), larger);
    const answer = await sent;
    const progress = progressSchema.safeParse(answer.body).data;
    if (!progress || !(isSuccess(answer) || answer.status === 409)) return this.#refused(answer, batch.events);

    const isTaken = progress.checkpoint === batch.upto && (!order || progress.replay === order.id);
    if (isTaken) this.delivered(batch.events);
    await this.#progressed(progress);
    if (subscription.order) {
      this.#shared.observer.log.warn({ subscription: name, from: order?.from }, 'the replay order was not taken');
      await subscription.setOrder(undefined);
    } else if (isTaken) {
      this.size = larger;
    } else if (!subscription.divergence) {
      throw new Problem(502, `answered ${answer.status} and its checkpoint is ${progress.checkpoint}`);
    }
  }

  /** One event to a plain subscriber; any 2xx moves the position that is kept here. */
  async #pushOne(batch: Batch): Promise<void> {
    const { subscription } = this;
    const [event] = batch.events;
    if (event) {
      // Those before it are parked.
      subscription.advance(event.position - 1);
      const answer = await this.send([event], PLAIN, rangeOf(batch)).catch(async (error) => {
        // It answers questions, and leaves this event without an answer: it hangs, or crashes, on the event. A checkpointed one
        // is never taken for that: a restart at the wrong moment looks the same.
        if (!(error instanceof NoAnswer && error.heard)) throw error;
        await this.#parkAfter(SILENCES, event, `not answered ${SILENCES} times: ${reason(error)}`, error);
      });
      if (!answer) return;
      if (!isSuccess(answer)) return this.#refused(answer, batch.events);
      if (progressSchema.safeParse(answer.body).success) await this.ask();
      // It was swapped for one that keeps a checkpoint, and has said so.
      if (subscription.kind === 'checkpointed') return;
    }
    this.delivered(batch.events);
    subscription.advance(positionOf(batch.upto));
    // Not before an answer: it may be a checkpointed one that could not say so.
    if (subscription.order) await subscription.orderTaken();
  }

  /** The subscriber's own word decides: the position kept here is only a cache of its checkpoint. */
  async #progressed({ checkpoint, replay }: Progress): Promise<void> {
    const { subscription } = this;
    subscription.kind = 'checkpointed';
    if (subscription.order && replay === subscription.order.id) await subscription.orderTaken();
    const isKnown = await this.#shared.db.read((tx) => knows(tx, checkpoint));
    subscription.diverge('subscriber', isKnown ? undefined : `its checkpoint is ${checkpoint}`);
    if (isKnown) subscription.advance(positionOf(checkpoint));
  }

  /** Takes events to the subscriber: one, or as a batch. */
  send(events: Entry[], type: string, more: Record<string, string | undefined>): Promise<Answer> {
    const text = events.map(({ record }) => record).join();
    const body = type === BATCH ? `[${text}]` : text;
    const { shareOf, observer } = this.#shared;
    const headers = { ...more, 'event-share': shareOf(this.subscription), 'content-type': type };
    const request = { ...this.#address, method: 'POST', headers, body } as const;
    return carry(request, observer.sending(events, this.subscription.name, this.#attempt));
  }

  /** The subscriber has taken these events. */
  delivered(events: Entry[], attempt = this.#attempt): void {
    const { observer, arrivals } = this.#shared;
    const { name } = this.subscription;
    if (events.length === 0) return;
    arrivals.add(events, name, attempt);
    observer.step('answered', events, { subscription: name, attempt });
  }

  /** A single event that is refused again and again is parked; anything else is tried again. */
  async #refused(answer: Answer, events: Entry[]): Promise<void> {
    const [event, more] = events;
    const failure = failureOf(answer);
    if (!event || more || !REFUSED.includes(answer.status)) throw failure;
    await this.#parkAfter(REFUSALS, event, `answered ${answer.status} ${REFUSALS} times: ${detailOf(answer)}`, failure);
  }

  /** Parks an event that has failed so many times; before that the error is thrown. */
  async #parkAfter(times: number, event: Entry, why: string, error: Error): Promise<void> {
    const { position } = event;
    const count = this.#refusals.position === position ? this.#refusals.count + 1 : 1;
    this.#refusals = { position, count };
    if (count < times) throw error;
    await this.park(event, why);
  }

  async park(event: Entry, reason: string): Promise<void> {
    const { db, observer } = this.#shared;
    const { name } = this.subscription;
    await db.write((tx) => park(tx, name, event.position, reason));
    observer.step('parked', [event], { subscription: name, reason });
    this.#refusals = { position: 0, count: 0 };
  }
}
