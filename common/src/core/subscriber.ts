// The subscriber: applies the events that the bus pushes, and moves the checkpoint in the same transaction.
import { askForEvents, headOf } from './bus-kind.ts';
import { type Checkpoint, NEW, type Progress, type PushHeaders, positionOf, type Share } from './checkpoint.ts';
import type { Database } from './database.ts';
import { apply, type EventType, type Handlers, type KnownEvent, parseEvent } from './events.ts';
import { type Bus, exchange, reason } from './exchange.ts';
import { backoff, Loop } from './loop.ts';
import type { Observer } from './observer.ts';
import { Problem } from './problem.ts';
import { hasCaughtUp, joins, moveTo, noteCaughtUp, readProgress } from './progress.ts';
import { databaseProblem, type Tx } from './sqlite.ts';

/** The time for which the bus's last word counts, in milliseconds. */
const RECENT = 10_000;

/** The maximum time in which the bus answers where its log ends, in milliseconds. */
const QUESTION = 1_000;

type Options<Result> = {
  db: Database;
  bus: Bus;
  observer: Observer;
  /** Applies one event each; throwing makes it a poison event. Idempotent by the ids in `data`. Other types are ignored. */
  handlers: Handlers<Result>;
  /** A replay order is being taken that sets the checkpoint to `after`. */
  onReplay?: (tx: Tx, after: Checkpoint) => void;
  /**
   * Called in the transaction of a push, before its events are applied. They follow the checkpoint `after`, if any, in the
   * order of the log, unless `isInOrder` is false: a redelivery, a classic event, or a push that leaves parked events out.
   */
  onPush?: (tx: Tx, after: Checkpoint | undefined, isInOrder: boolean) => void;
  /** Called after COMMIT with the applied events, and with what the handlers returned for each. */
  onApplied?: (events: KnownEvent[], results: (Result | undefined)[]) => void;
};

/** Takes events from the bus. Effects and checkpoint are one transaction, so an event that comes twice has one effect. */
export class Subscriber<Result = void> extends Loop {
  readonly handles: readonly EventType[];
  #options: Options<Result>;
  #heardAt = Number.NEGATIVE_INFINITY;
  #isClassic = false;
  /** The share of this copy among those of its service that answer the bus, by the bus's last word. */
  share: Share = { index: 0, count: 1 };
  /** True once the database has stood at the head of the log since the start. */
  #hasCaughtUp = false;
  /** The last time that events were pushed, or were to be expected. */
  #fedAt = performance.now();

  constructor(options: Options<Result>) {
    super();
    this.#options = options;
    this.handles = Object.keys(options.handlers) as EventType[];
  }

  /** True if a bus was heard from lately; a classic one is silent while there is no event. */
  get hearsBus(): boolean {
    return this.#isClassic || performance.now() - this.#heardAt < RECENT;
  }

  /** Asks the bus for the head of its log. Undefined: it is away, or its log is another one. A classic bus has no answer. */
  async askHead(): Promise<Checkpoint | undefined> {
    if (this.#isClassic) return NEW;
    const { db, bus } = this.#options;
    const { checkpoint } = await db.read(readProgress);
    const question = { method: 'HEAD', url: `${bus.url}/events`, deadline: QUESTION, ending: this.ending } as const;
    const answer = await exchange(question).catch(() => undefined);
    const head = answer && headOf(answer.headers);
    return head && positionOf(head) >= positionOf(checkpoint) ? head : undefined;
  }

  /** True if this service has applied everything up to there. */
  async has(head: Checkpoint): Promise<boolean> {
    const { checkpoint } = await this.#options.db.read(readProgress);
    return positionOf(checkpoint) > positionOf(head) || joins(checkpoint, head);
  }

  async degraded(): Promise<string[]> {
    return this.hearsBus ? [] : ['The bus was not heard from lately.'];
  }

  /**
   * The reason for which requests should not come here yet: the database would answer with what was. While no events come (the
   * bus is away, a person has paused the deliveries) that is the best there is, unless it was empty at first.
   */
  async unready(): Promise<string | undefined> {
    if (this.#isClassic || this.#hasCaughtUp) return undefined;
    const caughtUp = await this.#options.db.read(hasCaughtUp);
    const isFed = performance.now() - this.#fedAt < RECENT;
    return caughtUp && !isFed ? undefined : 'It has not caught up with the log yet.';
  }

  /** The answer to the bus's question for the checkpoint. */
  async progress({ 'event-head': head, 'event-share': share }: PushHeaders): Promise<Progress> {
    this.share = share ?? this.share;
    const progress = await this.#options.db.read(readProgress);
    await this.#noteHead(head);
    return { ...progress, handles: [...this.handles] };
  }

  /**
   * Applies a push: one event, or a batch. Answers the progress after it; 409 if it does not continue from the checkpoint.
   * @throws Problem 422 for a poison event, 503 or 507 if the database cannot be used
   */
  async receive(body: unknown, headers: PushHeaders, cause?: string): Promise<{ status: 200 | 409; answer: object }> {
    const { 'event-after': after, 'event-upto': upto, 'event-head': head, 'event-share': share } = headers;
    this.share = share ?? this.share;
    const inputs = Array.isArray(body) ? body : [body];
    if (after === undefined || upto === undefined) {
      await this.#apply(this.#parse(inputs), cause);
      // Only a classic bus never names its head: a redelivery does.
      this.#isClassic = head === undefined;
      return { status: 200, answer: { status: 'OK' } };
    }
    // Parked events are left out of a push. If none is, the positions follow from where it begins.
    const isWhole = positionOf(upto) - positionOf(after) === inputs.length;
    const events = this.#parse(inputs, isWhole ? positionOf(after) : undefined);
    const advance = (tx: Tx) => this.#advance(tx, after, upto, headers, isWhole);
    const { isJoined, progress } = await this.#apply(events, cause, advance);
    this.#heard(head);
    if (isJoined) this.#fedAt = performance.now();
    if (isJoined && upto === head) this.#hasCaughtUp = true;
    return { status: isJoined ? 200 : 409, answer: progress };
  }

  /** Moves the checkpoint to the end of a push that continues from it. A replay order is taken first, once, only backwards. */
  #advance(tx: Tx, after: Checkpoint, upto: Checkpoint, headers: PushHeaders, isInOrder: boolean): boolean {
    const { 'event-replay': order, 'event-head': head } = headers;
    const { checkpoint, replay } = readProgress(tx);
    const isOrdered = order && order !== replay && positionOf(after) <= positionOf(checkpoint);
    if (!isOrdered && !joins(checkpoint, after)) return false;
    if (isOrdered) this.#options.onReplay?.(tx, after);
    moveTo(tx, { checkpoint: upto, replay: isOrdered ? order : replay }, upto === head);
    this.#options.onPush?.(tx, after, isInOrder);
    return true;
  }

  #parse(inputs: unknown[], after?: number): KnownEvent[] {
    return inputs.flatMap((input, i) => {
      const event = parseEvent(input, this.handles);
      if (event && after !== undefined) event.position = after + i + 1;
      return event ?? [];
    });
  }

  /** One transaction: the checkpoint moves and the events are applied, or neither. Without `advance` it stays. */
  async #apply(parsed: KnownEvent[], cause?: string, advance?: (tx: Tx) => boolean) {
    const { db, observer, handlers, onApplied } = this.#options;
    const { events, end } = observer.applying(parsed, cause);
    try {
      const { isJoined, results, progress } = await db.write((tx) => {
        const isJoined = advance ? advance(tx) : true;
        if (!advance && events.length > 0) this.#options.onPush?.(tx, undefined, false);
        const results = isJoined ? events.map((event) => apply(handlers, tx, event)) : [];
        return { isJoined, results, progress: readProgress(tx) };
      });
      observer.step('applied', isJoined ? events : []);
      if (isJoined) end();
      if (isJoined) onApplied?.(events, results);
      return { isJoined, progress };
    } catch (error) {
      const known = error instanceof Problem ? error : databaseProblem(error);
      end(known?.message ?? 'a handler failed');
      if (known) throw error;
      observer.log.error({ err: error }, 'a handler failed');
      throw new Problem(422, 'An event could not be handled.');
    }
  }

  /** The bus has named its head: a database that stands there has caught up. */
  async #noteHead(head: Checkpoint | undefined): Promise<void> {
    this.#heard(head);
    if (head === undefined || this.#hasCaughtUp) return;
    const { checkpoint } = await this.#options.db.read(readProgress);
    if (!joins(checkpoint, head)) return;
    this.#hasCaughtUp = true;
    // A failure is in `/readyz`, and the next push that ends at the head stores it as well.
    await this.#options.db.write(noteCaughtUp).catch(() => {});
  }

  #heard(head: Checkpoint | undefined): void {
    if (head === undefined) return;
    this.#isClassic = false;
    this.#heardAt = performance.now();
  }

  /** Asks for the kind of the bus, until answered: a classic one never pushes what came before. */
  protected async run(): Promise<void> {
    const { bus, observer } = this.#options;
    for (let attempt = 1; !this.stopped; attempt += 1) {
      try {
        const answer = await askForEvents(bus, this.ending);
        if (answer) {
          this.#isClassic = answer.isClassic;
          if (answer.isClassic) await this.#applyHistory(answer.events);
          else await this.#noteHead(answer.head);
          this.#fedAt = performance.now();
          return;
        }
        observer.log.debug({}, 'the bus does not answer as a bus');
      } catch (error) {
        observer.log.debug({ reason: reason(error) }, 'the bus does not answer yet');
      }
      if (attempt === 1) this.#fedAt = Number.NEGATIVE_INFINITY;
      await this.interruption.wait(backoff(attempt));
    }
  }

  /** One transaction an event: one that cannot be handled does not keep the others out. */
  async #applyHistory(history: unknown[]): Promise<void> {
    const { log } = this.#options.observer;
    log.info({ events: history.length }, 'applying the history of a classic bus');
    const applied = history.map(async (input) => this.#apply(this.#parse([input])));
    for (const result of await Promise.allSettled(applied)) {
      if (result.status === 'rejected') log.warn({ err: result.reason }, 'an event was skipped');
    }
  }
}

/** A subscriber as its routes see it, whatever its handler returns. */
export type Receiver = Loop & Pick<Subscriber, 'handles' | 'progress' | 'receive'>;
