// The exchanges with one subscriber, and what its answers say about it.
import { type Progress, positionOf, progressSchema } from '@blog/common/core/checkpoint.ts';
import type { Database } from '@blog/common/core/database.ts';
import { type Answer, carry, detailOf, exchange, isSuccess } from '@blog/common/core/exchange.ts';
import { retryAfter } from '@blog/common/core/loop.ts';
import type { Observer } from '@blog/common/core/observer.ts';
import { type Batch, type BatchReader, PUSH_EVENTS } from './batch.ts';
import { park } from './dead-letters.ts';
import { type Entry, head, knows } from './log.ts';
import type { Subscription } from './subscription.ts';

/** The interval at which the subscriber is asked for its checkpoint while nothing is sent, in milliseconds. */
const ASK_EVERY = 5_000;
/** The number of refusals with one of these statuses after which a single event is parked. */
const REFUSALS = 5;
const REFUSED = [400, 413, 422];
/** Statuses that say nothing about the kind of the subscriber: the question is asked again. */
const BUSY = [429, 503];

/** An exchange that failed: tried again after a pause, for ever. */
export class Failure extends Error {
  readonly pause: number;
  constructor(message: string, pause = 0) {
    super(message);
    this.pause = pause;
  }
}

export function failureOf(answer: Answer): Failure {
  const what = isSuccess(answer) ? 'without saying where it stands' : detailOf(answer);
  const pause = retryAfter(answer.status, answer.headers['retry-after']);
  return new Failure(`answered ${answer.status} ${what}`.trim(), pause);
}

type Options = {
  db: Database;
  observer: Observer;
  subscription: Subscription;
  batches: BatchReader;
  token?: string;
  deadline: number;
  ending: AbortSignal;
};

export class Peer {
  readonly subscription: Subscription;
  readonly batches: BatchReader;
  /** The maximum of events in the next push: one after a failure, then it doubles with every success. */
  size = PUSH_EVENTS;
  /** The time at which the subscriber is asked next, by `performance.now()`. */
  askAt = 0;
  #options: Options;
  #refusals = { position: 0, count: 0 };

  constructor(options: Options) {
    this.#options = options;
    this.subscription = options.subscription;
    this.batches = options.batches;
  }

  get attempt(): number {
    return this.subscription.failures.count + 1;
  }

  /**
   * Asks, without effect, for the checkpoint. A subscriber that has none is a plain one: a service that only knows POST answers
   * with anything. A checkpointed one is in trouble if it answers 5xx, unless it goes on doing so.
   */
  async ask(): Promise<void> {
    const { db, token, deadline, ending, subscription } = this.#options;
    const { url, kind, failures } = subscription;
    // A subscriber may close each connection without saying so: after a failure the next push gets a connection of its own.
    const headers = { 'event-head': await db.read(head), connection: 'close' };
    const answer = await exchange({ method: 'GET', url, token, headers, deadline, ending });
    const { status } = answer;
    const progress = progressSchema.safeParse(answer.body).data;
    const isInTrouble = kind === 'checkpointed' && status >= 500 && failures.count < REFUSALS;
    if (isSuccess(answer) && progress) await this.progressed(progress);
    else if (BUSY.includes(status) || isInTrouble) throw failureOf(answer);
    else {
      subscription.kind = 'plain';
      subscription.diverge('subscriber', undefined);
    }
    this.asked();
  }

  /** Its checkpoint is known as of now. */
  asked(): void {
    this.askAt = performance.now() + ASK_EVERY;
  }

  /** The batch to push next. */
  next(): Promise<Batch> {
    const { after, kind } = this.subscription;
    return this.batches.next(after, kind === 'checkpointed' ? this.size : 1);
  }

  /** The subscriber's own word decides: the position kept here is only a cache of its checkpoint. */
  async progressed({ checkpoint, replay }: Progress): Promise<void> {
    const { db, subscription } = this.#options;
    subscription.kind = 'checkpointed';
    if (subscription.order && replay === subscription.order.id) await subscription.orderTaken();
    if (await db.read((tx) => knows(tx, checkpoint))) {
      subscription.diverge('subscriber', undefined);
      subscription.advance(positionOf(checkpoint));
    } else {
      subscription.diverge('subscriber', `it stands at ${checkpoint}, which this log does not have`);
      this.batches.discard();
    }
  }

  /** Takes events to the subscriber. */
  send(events: Entry[], headers: Record<string, string | undefined>, body: string): Promise<Answer> {
    const { token, deadline, ending, observer, subscription } = this.#options;
    const { url, name } = subscription;
    const request = { method: 'POST', url, token, headers, body, deadline, ending } as const;
    return carry(request, observer.sending(events, name, this.attempt));
  }

  /** The subscriber has taken these events. */
  delivered(events: Entry[], attempt = this.attempt): void {
    const { observer, subscription } = this.#options;
    if (events.length > 0) observer.step('answered', events, { subscription: subscription.name, attempt });
  }

  /** A single event that is refused again and again is parked; anything else is tried again. */
  async refused(answer: Answer, events: Entry[]): Promise<void> {
    const [event, more] = events;
    if (!event || more || !REFUSED.includes(answer.status)) throw failureOf(answer);
    const why = `answered ${answer.status} ${REFUSALS} times: ${detailOf(answer)}`;
    await this.parkAfter(REFUSALS, event, why, failureOf(answer));
  }

  /** Parks an event that has failed so many times; before that the error is thrown. */
  async parkAfter(times: number, event: Entry, why: string, error: Error): Promise<void> {
    const { position } = event;
    const count = this.#refusals.position === position ? this.#refusals.count + 1 : 1;
    this.#refusals = { position, count };
    if (count < times) throw error;
    await this.park(event, why);
  }

  async park(event: Entry, reason: string): Promise<void> {
    const { db, observer, subscription } = this.#options;
    const { name } = subscription;
    await db.write((tx) => park(tx, name, event.position, reason));
    observer.step('parked', [event], { subscription: name, reason });
    this.#refusals = { position: 0, count: 0 };
    this.batches.discard();
  }
}
