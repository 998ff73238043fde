import { randomUUID } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Checkpoint, positionOf, type Stand, standSchema } from '@blog/common/core/checkpoint.ts';
import type { Database, Tx } from '@blog/common/core/database.ts';
import { BATCH, PLAIN } from '@blog/common/core/events.ts';
import { type Answer, detailOf, exchange, NoAnswer, reason } from '@blog/common/core/exchange.ts';
import { backoff, gathering, Loop, retryAfter } from '@blog/common/core/loop.ts';
import { databaseProblem, fieldProblem, Problem, unavailable } from '@blog/common/http/problem.ts';
import type { Log } from '@blog/common/observe/log.ts';
import { exchangeEvents, fieldsOf } from '@blog/common/observe/spans.ts';
import { type Batch, PUSH_EVENTS, places, readBatch } from './batch.ts';
import { deleteLetter, getLetter, park } from './dead-letters.ts';
import type { Deliveries } from './deliveries.ts';
import { type Entry, head, knows, readBehind } from './log.ts';
import type { Counts } from './metrics.ts';
import { Subscription } from './subscription.ts';
import type { Tail } from './tail.ts';

/** While nothing is sent, the subscriber is asked where it stands every so often, in milliseconds. */
const ASK_EVERY = 5_000;
/** How long events that nobody waits for are gathered, in milliseconds. */
const GATHERED = 100;
/** A part that restarts is away for a moment; from so many failures in a row on it is worth a line of the log. */
const REPORTED_FROM = 3;
/** How often a single event may be answered with one of these before it is parked. */
const REFUSALS = 5;
const REFUSED = [400, 413, 422];
/** Tries of an event that a plain subscriber, which is there, may leave without an answer: each costs the whole deadline. */
const SILENCES = 3;
/** Statuses that leave open who is there: the question is asked again. */
const BUSY = [429, 503];

/** How it goes with a subscription. */
export const STATES = ['starting', 'live', 'retrying', 'paused', 'diverged'] as const;

type Options = {
  db: Database;
  log: Log;
  name: string;
  url: string;
  token?: string;
  deadline: number;
  tail: Tail;
  deliveries: Deliveries;
  counts: Counts;
};

/** An exchange that failed: tried again after a pause, for ever. */
class Failure extends Error {
  readonly pause: number;
  constructor(message: string, pause = 0) {
    super(message);
    this.pause = pause;
  }
}

/**
 * One subscription: reads the log behind its position, pushes, advances. Live delivery, catching up and replay are this
 * same loop. At most one exchange is under way; what a person asks for takes effect between two of them.
 */
export class Delivery extends Loop {
  readonly name: string;
  #options: Options;
  #subscription: Subscription;
  #kind: 'unknown' | 'checkpointed' | 'plain' = 'unknown';
  /** Why subscriber or publisher and log are not of one history; nothing is pushed then but a replay order. */
  #diverged: { subscriber?: string; publisher?: string } = {};
  #failures = 0;
  #lastError: string | undefined;
  #reported: string | undefined;
  #nextAttempt: string | undefined;
  #refusals = { position: 0, count: 0 };
  #size = PUSH_EVENTS;
  /** The types of event that the subscriber wants at once. */
  #wanted: Set<string> | undefined;
  /** Wakes the loop for events that nobody waits for. */
  #late: NodeJS.Timeout | undefined;
  #askAt = 0;
  /** The batch behind the one that is under way, read in the meantime. */
  #ahead: { after: number; batch: Promise<Batch> } | undefined;
  /** Everything between these two positions is parked: reading goes on from `first` while the subscriber stands at `after`. */
  #parked = { after: 0, first: 0 };
  #commands: (() => Promise<void>)[] = [];

  constructor(options: Options) {
    super();
    this.name = options.name;
    this.#options = options;
    this.#subscription = new Subscription(options.db, options.name);
    options.tail.onGrowth((entries) => {
      if (this.#isUrgent(entries)) this.work.raise();
      else this.#late ??= setTimeout(() => this.#raiseLate(), GATHERED).unref();
    });
  }

  // ---- The loop, from top to bottom

  protected async run(): Promise<void> {
    while (!this.stopped) {
      try {
        await this.#subscription.load();
        for (const command of this.#commands.splice(0)) await command();
        await this.#turn();
      } catch (error) {
        await this.#failed(error);
      }
    }
    for (const command of this.#commands) await command();
  }

  async #turn(): Promise<void> {
    if (this.#subscription.paused) return this.urgent.wait();
    if (performance.now() >= this.#askAt) await this.#ask();
    const { order } = this.#subscription;
    const batch = this.#divergence && !order ? undefined : await this.#next();
    if (!batch || (batch.upto === batch.after && !order)) {
      this.#recovered();
      return this.work.wait(Math.max(0, this.#askAt - performance.now()));
    }
    if (this.#kind === 'checkpointed') await this.#push(batch);
    else await this.#pushPlain(batch);
    this.#recovered();
    this.#askAt = performance.now() + ASK_EVERY;
    if (batch.upto !== batch.head) return;
    if (this.#isUrgent(batch.events)) await this.urgent.wait(gathering(batch.events.length));
    else await this.work.wait(GATHERED);
  }

  /** Whether the subscriber wants one of them at once; who does not say what it wants, wants all. */
  #isUrgent(entries: Entry[]): boolean {
    return entries.some(({ type }) => this.#wanted?.has(type) ?? true);
  }

  #raiseLate(): void {
    this.#late = undefined;
    this.work.raise();
  }

  /**
   * Asks, without effect, where the subscriber stands; who cannot say is a plain subscriber: a service that only knows POST
   * answers with anything. But one that could say before is in trouble if it answers 5xx, unless it goes on doing so.
   */
  async #ask(): Promise<void> {
    const { db, url, token, deadline } = this.#options;
    // A subscriber may close each connection without saying so: after a failure the next push gets a connection of its own.
    const headers = { 'event-head': await db.read(head), connection: 'close' };
    const answer = await exchange({ method: 'GET', url, token, headers, deadline, ending: this.ending });
    const stand = standSchema.safeParse(answer.body);
    this.#wanted = stand.data?.urgent && new Set(stand.data.urgent);
    if (isSuccess(answer) && stand.success) await this.#standsAt(stand.data);
    else if (BUSY.includes(answer.status) || this.#isInTrouble(answer)) throw failure(answer);
    else {
      this.#kind = 'plain';
      this.#diverge('subscriber', undefined);
    }
    this.#askAt = performance.now() + ASK_EVERY;
  }

  /** The subscriber's own word decides: the position kept here is only a cache of it. */
  async #standsAt({ checkpoint, replay }: Stand): Promise<void> {
    this.#kind = 'checkpointed';
    if (this.#subscription.order && replay === this.#subscription.order.id) await this.#orderTaken();
    if (await this.#options.db.read((tx) => knows(tx, checkpoint))) {
      this.#diverge('subscriber', undefined);
      this.#subscription.advance(positionOf(checkpoint));
    } else {
      this.#diverge('subscriber', `it stands at ${checkpoint}, which this log does not have`);
      this.#ahead = undefined;
    }
  }

  #isInTrouble({ status }: Answer): boolean {
    return this.#kind === 'checkpointed' && status >= 500 && this.#failures < REFUSALS;
  }

  /** From now on this log is the one that publisher and subscriber know. */
  async #orderTaken(): Promise<void> {
    await this.#subscription.setOrder(undefined);
    this.#diverge('publisher', undefined);
  }

  /** The batch to push now. On the way to it others are served between two reads, however many events are parked. */
  async #next(): Promise<Batch> {
    for (;;) {
      const { after } = this.#subscription;
      const ahead = this.#ahead;
      this.#ahead = undefined;
      const isMany = this.#kind === 'checkpointed';
      const batch = await (isMany && ahead?.after === after ? ahead.batch : this.#read(after, isMany ? this.#size : 1));
      this.#parked = { after, first: positionOf(batch.first) };
      if (batch.events.length > 0 || batch.upto === batch.head || this.stopped) return batch;
      await nextTurn();
    }
  }

  /**
   * One batch to a subscriber that keeps its checkpoint. Only an answer that says where it stands counts, and anywhere
   * else than at the end of the batch is a failure: a subscriber that went back is so never pushed to without a pause.
   */
  async #push(batch: Batch): Promise<void> {
    const { order } = this.#subscription;
    const headers = { ...places(batch), 'content-type': BATCH, 'event-replay': order?.id };
    const sent = this.#send(batch.events, headers, `[${batch.events.map(({ record }) => record).join(',')}]`);
    if (batch.upto !== batch.head && !order) this.#prepare(positionOf(batch.upto));
    const answer = await sent;
    const stand = standSchema.safeParse(answer.body);
    if (!stand.success || !(isSuccess(answer) || answer.status === 409)) return this.#refused(answer, batch.events);

    await this.#standsAt(stand.data);
    const { checkpoint } = stand.data;
    if (this.#subscription.order) {
      this.#options.log.warn({ subscription: this.name, from: order?.from }, 'the replay order was not taken');
      await this.#subscription.setOrder(undefined);
    } else if (checkpoint === batch.upto) {
      this.#delivered(batch.events);
      this.#size = Math.min(this.#size * 2, PUSH_EVENTS);
    } else if (!this.#divergence) {
      throw new Failure(`answered ${answer.status} and stands at ${checkpoint}`);
    }
  }

  /** Reads the next batch while one is under way, as large as it may be once that one has succeeded. */
  #prepare(after: number): void {
    // In a turn of its own: the one before has to leave first.
    const batch = nextTurn().then(() => this.#read(after, Math.min(this.#size * 2, PUSH_EVENTS)));
    // Whoever takes it sees the error; nobody may.
    batch.catch(() => {});
    this.#ahead = { after, batch };
  }

  /** One event to a plain subscriber; any 2xx moves the position that is kept here. */
  async #pushPlain(batch: Batch): Promise<void> {
    this.#subscription.advance(positionOf(batch.first));
    const [event] = batch.events;
    if (event) {
      const headers = { ...places(batch), 'content-type': PLAIN };
      const answer = await this.#send([event], headers, event.record).catch((error) => error);
      if (answer instanceof Error) return this.#unanswered(answer, event);
      if (!isSuccess(answer)) return this.#refused(answer, batch.events);
      if (standSchema.safeParse(answer.body).success) await this.#ask();
      // It keeps a checkpoint after all, and has said where it stands: it was swapped for one of ours.
      if (this.#kind === 'checkpointed') return;
    }
    this.#delivered(batch.events);
    this.#subscription.advance(positionOf(batch.upto));
    // Not before an answer: it may be one of ours that could not say so.
    if (this.#subscription.order) await this.#orderTaken();
  }

  /** A single event that is refused again and again is parked; anything else is tried again. */
  async #refused(answer: Answer, events: Entry[]): Promise<void> {
    const [event, more] = events;
    if (!event || more || !REFUSED.includes(answer.status)) throw failure(answer);
    const count = this.#countRefusal(event);
    if (count < REFUSALS) throw failure(answer);
    await this.#park(event, `answered ${answer.status} ${count} times: ${detailOf(answer)}`);
  }

  /**
   * A plain subscriber that says who is there, and leaves this one event without an answer: it hangs, or crashes, on it.
   * (One that keeps a checkpoint is never taken for that: a restart at the wrong moment looks the same.)
   */
  async #unanswered(error: Error, event: Entry): Promise<void> {
    if (!(error instanceof NoAnswer && error.heard)) throw error;
    const count = this.#countRefusal(event);
    if (count < SILENCES) throw error;
    await this.#park(event, `not answered ${count} times: ${reason(error)}`);
  }

  #countRefusal({ position }: Entry): number {
    const count = this.#refusals.position === position ? this.#refusals.count + 1 : 1;
    this.#refusals = { position, count };
    return count;
  }

  async #failed(error: unknown): Promise<void> {
    this.#failures += 1;
    this.#options.counts.failures.inc({ subscription: this.name });
    this.#size = 1;
    this.#ahead = undefined;
    this.#askAt = 0;
    const known = error instanceof Failure || error instanceof Problem ? error : databaseProblem(error);
    const why = (known?.message ?? reason(error)).replace(/\.$/, '');
    if (this.#failures >= REPORTED_FROM && why !== this.#reported) {
      this.#options.log.warn({ subscription: this.name, reason: why }, 'delivery failed');
      this.#reported = why;
    }
    this.#lastError = why;
    const pause = Math.max(backoff(this.#failures), error instanceof Failure ? error.pause : 0);
    this.#nextAttempt = new Date(Date.now() + pause).toISOString();
    await this.urgent.wait(pause);
  }

  #recovered(): void {
    if (this.#reported) this.#options.log.info({ subscription: this.name }, 'delivering again');
    this.#reported = undefined;
    this.#failures = 0;
    this.#lastError = undefined;
    this.#nextAttempt = undefined;
  }

  #delivered(events: Entry[]): void {
    if (events.length === 0) return;
    const { deliveries, counts, log } = this.#options;
    const attempt = this.#failures + 1;
    const positions = events.map(({ position }) => position);
    deliveries.add(positions, this.name, attempt);
    counts.delivered.inc({ subscription: this.name }, events.length);
    counts.pushed.observe(events.length);
    if (!log.isLevelEnabled('debug')) return;
    for (const { position, record } of events)
      log.debug({ subscription: this.name, position, attempt, ...fieldsOf(record) }, 'event delivered');
  }

  #read(after: number, most: number): Promise<Batch> {
    const { db, tail } = this.#options;
    const from = this.#parked.after === after ? this.#parked.first : after;
    return readBatch(db, tail, this.name, { after, from, most });
  }

  async #park({ position, record }: Entry, why: string): Promise<void> {
    this.#options.log.error({ subscription: this.name, position, ...fieldsOf(record), reason: why }, 'event parked');
    await this.#options.db.write((tx) => park(tx, this.name, position, why));
    this.#options.counts.parked.inc({ subscription: this.name });
    this.#refusals = { position: 0, count: 0 };
    this.#ahead = undefined;
  }

  /** Takes events to the subscriber. */
  #send(events: Entry[], headers: Record<string, string | undefined>, body: string): Promise<Answer> {
    const { url, token, deadline } = this.#options;
    const request = { method: 'POST', url, token, headers, body, deadline, ending: this.ending } as const;
    const records = () => events.map(({ record }) => record);
    return exchangeEvents(request, 'deliver', this.name, records, { 'blog.attempt': this.#failures + 1 });
  }

  // ---- What a person may do

  pause(): Promise<void> {
    return this.#command(() => this.#subscription.setPaused(true));
  }

  /** Goes on, and tries at once what waits for its next attempt. */
  resume(): Promise<void> {
    return this.#command(async () => {
      await this.#subscription.setPaused(false);
      this.#askAt = 0;
    });
  }

  /** Parks the event that this subscription is stuck on. */
  skip(): Promise<void> {
    return this.#command(async () => {
      const { order } = this.#subscription;
      if (this.#divergence && !order) throw new Problem(409, 'The subscription is diverged: replay it.');
      const [event] = (await this.#next()).events;
      if (!event) throw new Problem(409, 'There is no event to skip.');
      await this.#park(event, `skipped by hand${this.#lastError ? `: ${this.#lastError}` : ''}`);
    });
  }

  /** Goes back, so that `from` is the first position pushed; a checkpointed subscriber is ordered to. */
  replay(from: number): Promise<void> {
    return this.#command(async () => {
      const most = this.#divergence ? 1 : this.#subscription.position + 1;
      if (from > most) {
        throw fieldProblem(400, 'from', `must be at most ${most}`);
      }
      await this.#subscription.setOrder({ id: randomUUID(), from });
      this.#parked = { after: 0, first: 0 };
      this.#askAt = 0;
    });
  }

  /** Delivers a dead letter once more, outside the order; it goes after a 2xx. */
  redeliver(id: number): Promise<void> {
    const { db, deliveries, counts } = this.#options;
    return this.#command(async () => {
      const letter = await db.read((tx) => getLetter(tx, id));
      const headers = { 'event-head': await db.read(head), 'content-type': PLAIN };
      const answer = await this.#send([letter], headers, letter.record).catch((error) => {
        throw unavailable(`${this.name} does not answer: ${reason(error)}.`);
      });
      if (!isSuccess(answer)) throw new Problem(409, `${this.name} ${failure(answer).message}`);
      await db.write((tx) => deleteLetter(tx, id));
      // A subscriber that stands before it, and loses its data there, gets it as any other event.
      if (letter.position > this.#parked.after) this.#parked = { after: 0, first: 0 };
      deliveries.add([letter.position], this.name, 1);
      counts.delivered.inc({ subscription: this.name });
    });
  }

  /** The log has lost events that a publisher of this name was told it had; undefined when that is over. */
  publisherDiverged(published: Checkpoint | undefined): void {
    this.#diverge('publisher', published && `it was told ${published}, which this log does not have`);
  }

  #command(work: () => Promise<void>): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.stopped) return reject(unavailable('The bus is stopping.'));
      this.#commands.push(async () => {
        this.#ahead = undefined;
        await work().then(resolve, reject);
      });
      this.interrupt();
    });
  }

  // ---- How it goes

  get state(): (typeof STATES)[number] {
    if (this.#subscription.paused) return 'paused';
    if (this.#divergence) return 'diverged';
    if (this.#failures > 0) return 'retrying';
    return this.#kind === 'unknown' ? 'starting' : 'live';
  }

  /** How far it is: `lag` in events, `lagSeconds` since the first of them was made. */
  standing(tx: Tx) {
    const { position } = this.#subscription;
    const lag = positionOf(head(tx)) - position;
    const waiting = lag > 0 ? Date.now() - this.#timeBehind(tx, position) : 0;
    return { position, lag, lagSeconds: Math.max(0, Math.round(waiting / 1_000)) };
  }

  status(tx: Tx): object {
    return {
      name: this.name,
      url: this.#options.url,
      kind: this.#kind,
      ...this.standing(tx),
      state: this.state,
      replay: this.#subscription.order ?? null,
      lastError: this.#divergence ?? this.#lastError ?? null,
      nextAttempt: this.state === 'retrying' ? (this.#nextAttempt ?? null) : null,
    };
  }

  /** When the event that comes next was made. It may be the one that cannot be read: that is told otherwise. */
  #timeBehind(tx: Tx, position: number): number {
    try {
      const [next] = readBehind(tx, position, 1);
      return next ? Date.parse(JSON.parse(next.record).time) : Date.now();
    } catch {
      return Date.now();
    }
  }

  async degraded(): Promise<string[]> {
    if (this.#divergence) return [`${this.name} is diverged: ${this.#divergence}.`];
    return this.state === 'retrying' ? [`Delivery to ${this.name} is being tried again: ${this.#lastError}.`] : [];
  }

  get #divergence(): string | undefined {
    return this.#diverged.subscriber ?? this.#diverged.publisher;
  }

  #diverge(who: 'subscriber' | 'publisher', why: string | undefined): void {
    const { log } = this.#options;
    if (why && why !== this.#diverged[who]) {
      log.error({ subscription: this.name, reason: why }, 'subscription diverged');
    }
    this.#diverged[who] = why;
  }
}

const isSuccess = ({ status }: Answer) => status >= 200 && status < 300;

function failure(answer: Answer): Failure {
  const what = isSuccess(answer) ? 'without saying where it stands' : detailOf(answer);
  const pause = retryAfter(answer.status, answer.headers['retry-after']);
  return new Failure(`answered ${answer.status} ${what}`.trim(), pause);
}
