// The relay: sends the outbox to the bus.
import { Acknowledgements } from './acknowledgements.ts';
import { askForEvent, askForEvents, isProblem } from './bus-kind.ts';
import { checkpointText } from './checkpoint.ts';
import type { Database } from './database.ts';
import { apply, BATCH, type Handlers, PLAIN, parseTraceparent, traceIdOf } from './events.ts';
import { type Answer, type Bus, carry, isSuccess, reason } from './exchange.ts';
import { batching, Failures, Loop, retryAfter } from './loop.ts';
import type { Observer } from './observer.ts';
import {
  depthOf,
  forget,
  isRefused,
  lastRow,
  nextRows,
  type OutboxRow,
  publishedUpTo,
  refusals,
  sendRefusedAgain,
} from './outbox.ts';
import { unavailable } from './problem.ts';
import type { Tx } from './sqlite.ts';

/** The maximum of events in one request. */
const BATCH_EVENTS = 1_000;

/** The longest pause before the next attempt, in milliseconds: shorter than a comment waits for its post. */
const LONGEST_PAUSE = 1_000;

/** The interval at which the outbox is read anyway, in milliseconds: an older process of this service may have left a row. */
const LOOK_EVERY = 5_000;

const LOST = ': its log has lost events that it had acknowledged; replay this service';
/** Any other refusal may be a stranger's. A classic bus never says what is wrong with an event, so it is asked again. */
const STRANGER = ', and not as a problem document: perhaps something else answers at its address';

type Options = {
  db: Database;
  bus: Bus;
  observer: Observer;
  /** Apply the log's content of an event that this service has published with other content. */
  handlers?: Handlers<unknown>;
  /** Names the moment at which a caller is answered: after the commit here, or once the bus has its event. */
  answerAfter?: 'commit' | 'log';
};

/** Sends the outbox to the bus, in order. A crash at any moment sends some events again; the bus recognises them. */
export class Relay extends Loop {
  #options: Options;
  #failures: Failures;
  /** Rows that the bus has acknowledged are deleted with the next commit. */
  readonly acknowledgements = new Acknowledgements();
  /** The maximum of events in the next request: one after a failure, then it grows with each answer that names positions. */
  #limit = 1;
  /** True once a classic bus was found in the place of one that named positions. */
  #isClassic = false;

  constructor(options: Options) {
    super();
    this.#options = options;
    const { log } = options.observer;
    const longest = LONGEST_PAUSE;
    this.#failures = new Failures({ log, begin: 'cannot publish for now', end: 'publishing again', longest });
    options.db.onCommit(() => this.work.raise());
  }

  /** True while the last exchange with the bus has failed. */
  get fails(): boolean {
    return this.#failures.count > 0;
  }

  /**
   * Stores a post or a comment with its event, and returns it after the commit, or once the bus has the event. Another copy
   * may have been first with the same key: then `make`, run again, finds what the log says.
   * @throws Problem 503 if the bus does not have it in time, and whatever `make` throws
   */
  async publish<T extends { id: string } | undefined>(make: (tx: Tx) => T, key: string | null): Promise<T> {
    const { db, observer, answerAfter } = this.#options;
    const { made, row } = await db.write((tx) => ({ made: make(tx), row: lastRow(tx) }));
    if (made) observer.step('written', []);
    if (!made || answerAfter !== 'log') return made;
    await this.acknowledgements.of(row);
    return db.read((tx) => {
      if (isRefused(tx, made.id, row))
        throw unavailable('It is stored, but the event bus refuses it (see /readyz).', 10);
      return key === null ? made : make(tx);
    });
  }

  /** The depth of the outbox, for metrics. */
  depth() {
    return this.#options.db.read((tx) => depthOf(tx, this.acknowledgements.row));
  }

  async degraded(): Promise<string[]> {
    const refused = await this.#options.db.read((tx) => refusals(tx, this.acknowledgements.row));
    const { reason } = this.#failures;
    return [...(reason ? [`Publishing waits: ${reason}.`] : []), ...refused.map((text) => `The bus refused ${text}`)];
  }

  /** Runs until the end, and then as long as the bus takes what is left: callers were told that it will be published. */
  protected async run(): Promise<void> {
    const { db } = this.#options;
    while (!(this.stopped && this.fails)) {
      try {
        const isFirst = this.acknowledgements.row === 0;
        if (isFirst && (await db.read((tx) => refusals(tx, 0))).length > 0) await db.write(sendRefusedAgain);
        if (await this.#step()) continue;
        if (this.stopped) return;
        await this.work.wait(LOOK_EVERY);
      } catch (error) {
        await this.#failed(reason(error));
      }
    }
  }

  /** Sends the next batch. False when there is nothing to send. */
  async #step(): Promise<boolean> {
    const { db, bus, observer } = this.#options;
    const next = (tx: Tx) => ({
      ...nextRows(tx, this.acknowledgements.row, this.#limit),
      published: publishedUpTo(tx),
    });
    const { rows: batch, more, published } = await db.read(next);
    const last = batch.at(-1);
    if (!last) return false;

    const events = seen(batch);
    observer.step('read', events);
    const one = batch.length === 1;
    const request = {
      method: 'POST',
      url: `${bus.url}/events`,
      token: bus.token,
      ending: this.ending,
      headers: {
        'content-type': one ? PLAIN : BATCH,
        'event-published': published,
        'event-publisher': bus.publisher,
      },
      body: one ? last.event : `[${batch.map(({ event }) => event).join(',')}]`,
    } as const;
    const answer = await carry(request, observer.sending(events, 'event-bus'));
    const { status } = answer;
    if (isSuccess(answer)) {
      await this.#accepted(batch, answer, published !== undefined);
      if (!more && !this.stopped) await this.interruption.wait(batching(batch.length));
    } else if (![400, 409, 413, 422].includes(status) || !isProblem(answer)) {
      const why = !isProblem(answer) ? STRANGER : status === 412 ? LOST : '';
      await this.#failed(`the bus answered ${status}${why}`, retryAfter(status, answer.headers['retry-after']));
    } else if (!one) {
      this.#limit = 1;
    } else {
      await this.#refused(last, answer);
    }
    return true;
  }

  /** Takes a 2xx for an acknowledgement if it names the positions, or comes from a classic bus. */
  async #accepted(batch: OutboxRow[], { status, body }: Answer, isKnown: boolean): Promise<void> {
    const { bus, db, observer } = this.#options;
    const said = (body ?? {}) as { position?: unknown; positions?: unknown; checkpoint?: unknown };
    const one = batch.length === 1;
    const positions = one ? [said.position] : said.positions;
    const isPlaced = Array.isArray(positions) && positions.length === batch.length && positions.every(Number.isInteger);
    if (!isPlaced && !one) return this.#failed('the bus did not understand a batch');
    if (!isPlaced && isKnown) {
      // The bare 2xx of a classic bus counts. Anything else that answers 200 at its address does not have the event.
      this.#isClassic ||= (await askForEvents(bus, this.ending))?.isClassic === true;
      const why = `what answers ${status} at ${bus.url} says no position: it is not the bus of before`;
      if (!this.#isClassic) return this.#failed(why);
    }

    const { seq } = batch.at(-1) as OutboxRow;
    const checkpoint = checkpointText.safeParse(said.checkpoint).data;
    observer.step('sent', seen(batch, isPlaced ? positions : []));
    this.acknowledgements.upto(seq);
    this.#limit = isPlaced ? Math.min(10 * this.#limit, BATCH_EVENTS) : 1;
    if (isPlaced) this.#isClassic = false;
    this.#failures.end();
    db.later((tx) => forget(tx, seq, checkpoint));
  }

  /** 409: the log has it with other content, which is taken over. Any other is kept, and sent again at the next start or replay. */
  async #refused({ seq, event }: OutboxRow, { status, body }: Answer): Promise<void> {
    const { bus, db, observer, handlers } = this.#options;
    const named = JSON.parse(event);
    const { id: eventId = 'an event', type, traceparent } = named;
    const fields = { eventId, type, traceId: traceIdOf(parseTraceparent(traceparent)) };
    if (status === 409) {
      const there = handlers && (await askForEvent(bus, named, this.ending));
      observer.log.warn(fields, 'the log holds this event with other content, which stands');
      await db.write((tx) => {
        if (there) apply(handlers, tx, there);
        tx.run('DELETE FROM outbox WHERE seq = ?', seq);
      });
    } else {
      observer.log.error({ ...fields, status, answer: body }, 'the bus refused an event');
      const text = `${eventId}: ${status} ${JSON.stringify(body ?? '')}`.slice(0, 1_000);
      await db.write((tx) => tx.run('UPDATE outbox SET refused = ? WHERE seq = ?', text, seq));
    }
    this.acknowledgements.upto(seq);
    this.#failures.end();
  }

  async #failed(why: string, atLeast = 0): Promise<void> {
    this.#limit = 1;
    this.#isClassic = false;
    await this.interruption.wait(this.#failures.add(why, atLeast));
  }
}

const seen = (batch: OutboxRow[], positions: number[] = []) =>
  batch.map(({ event }, i) => ({ record: event, position: positions[i] }));
