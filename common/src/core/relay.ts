import { askForEvents, isProblem } from './bus-answers.ts';
import { checkpointText } from './checkpoint.ts';
import type { Database } from './database.ts';
import { BATCH, PLAIN } from './events.ts';
import { type Answer, type Bus, carry, isSuccess, reason } from './exchange.ts';
import { batching, Failures, Loop, retryAfter } from './loop.ts';
import type { Observer } from './observer.ts';
import { depthOf, forget, nextRows, type OutboxRow, publishedUpTo, refusals, sendRefusedAgain } from './outbox.ts';

/** The maximum of events in one request. */
const BATCH_EVENTS = 1_000;

/**
 * The longest pause before the next attempt, in milliseconds. Shorter than a comment waits for its post: once the bus is
 * back for that long, it has the events of every service.
 */
const LONGEST_PAUSE = 1_000;

/** The interval at which the outbox is read anyway, in milliseconds: an older process of this service may have left a row. */
const LOOK_EVERY = 5_000;

const LOST = ': its log has lost events that it had acknowledged; replay this service';
/** Any other refusal may be a stranger's. A classic bus never says what is wrong with an event, so it is asked again. */
const STRANGER = ', and not as a problem document: perhaps something else answers at its address';

type Options = { db: Database; bus: Bus; observer: Observer };

/**
 * Sends the outbox to the bus, in order, until the bus has answered that the events are on disk. A crash at any moment
 * sends some of them again; the bus recognises them.
 */
export class Relay extends Loop {
  #options: Options;
  #failures: Failures;
  /** The last row that the bus has acknowledged: rows up to it are deleted with the next commit. */
  #sent = 0;
  /** True once the bus has shown, by a `position` in its answer, that it takes batches; a classic bus never does. */
  #takesBatches = false;
  /** True once a classic bus was found in the place of one that named positions. */
  #isClassic = false;
  /** Rows up to this one are sent one by one, because a batch with them was refused. */
  #single = 0;

  constructor(options: Options) {
    super();
    this.#options = options;
    const { log } = options.observer;
    this.#failures = new Failures({
      log,
      begin: 'cannot publish for now',
      end: 'publishing again',
      longest: LONGEST_PAUSE,
    });
    options.db.onCommit(() => this.work.raise());
  }

  /** True while the last exchange with the bus has failed, and is being tried again. */
  get fails(): boolean {
    return this.#failures.count > 0;
  }

  /** The depth of the outbox, for metrics. */
  depth() {
    return this.#options.db.read((tx) => depthOf(tx, this.#sent));
  }

  async degraded(): Promise<string[]> {
    const refused = await this.#options.db.read((tx) => refusals(tx, this.#sent));
    const { reason } = this.#failures;
    return [...(reason ? [`Publishing waits: ${reason}.`] : []), ...refused.map((text) => `The bus refused ${text}`)];
  }

  /** Runs until the end, and then as long as the bus takes what is left: callers were told that it will be published. */
  protected async run(): Promise<void> {
    const { db } = this.#options;
    let isPrepared = false;
    while (!(this.stopped && this.fails)) {
      try {
        if (!isPrepared && (await db.read((tx) => refusals(tx, 0))).length > 0) await db.write(sendRefusedAgain);
        isPrepared = true;
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
    const limit = this.#takesBatches && this.#sent >= this.#single ? BATCH_EVENTS : 1;
    const { next, published } = await db.read((tx) => ({
      next: nextRows(tx, this.#sent, limit),
      published: publishedUpTo(tx),
    }));
    const batch = next.rows;
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
      headers: { 'content-type': one ? PLAIN : BATCH, 'event-published': published },
      body: one ? last.event : `[${batch.map(({ event }) => event).join(',')}]`,
    } as const;
    const answer = await carry(request, observer.sending(events, 'event-bus'));

    const { status } = answer;
    if (isSuccess(answer)) {
      await this.#accepted(batch, answer, published !== undefined);
      if (!next.more && batch.length < limit && !this.stopped) await this.interruption.wait(batching(batch.length));
    } else if (![400, 409, 413, 422].includes(status) || !isProblem(answer)) {
      const why = !isProblem(answer) ? STRANGER : status === 412 ? LOST : '';
      await this.#failed(`the bus answered ${status}${why}`, retryAfter(status, answer.headers['retry-after']));
    } else if (!one) {
      this.#single = last.seq;
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
    if (!isPlaced && isKnown && !(await this.#asksClassic()))
      return this.#failed(`what answers ${status} at ${bus.url} says no position: it is not the bus of before`);

    const { seq } = batch.at(-1) as OutboxRow;
    const checkpoint = checkpointText.safeParse(said.checkpoint).data;
    observer.step('sent', seen(batch, isPlaced ? positions : []));
    this.#sent = seq;
    this.#takesBatches = isPlaced;
    if (isPlaced) this.#isClassic = false;
    this.#failures.end();
    db.later((tx) => forget(tx, seq, checkpoint));
  }

  /** The bare 2xx of a classic bus counts. Anything else that answers 200 at its address does not have the event. */
  async #asksClassic(): Promise<boolean> {
    this.#isClassic ||= (await askForEvents(this.#options.bus, this.ending))?.isClassic === true;
    return this.#isClassic;
  }

  /**
   * 409: the log has the event already, with other content, which stands. After any other refusal the row is kept for a person
   * to look at, and sent again at the next start and when a replay is ordered.
   */
  async #refused({ seq, event }: OutboxRow, { status, body }: Answer): Promise<void> {
    const { db, observer } = this.#options;
    const { id: eventId = 'an event', type } = JSON.parse(event);
    if (status === 409) {
      observer.log.warn({ eventId, type }, 'the log holds this event with other content, which stands');
      await db.write((tx) => tx.run('DELETE FROM outbox WHERE seq = ?', seq));
    } else {
      observer.log.error({ eventId, type, status, answer: body }, 'the bus refused an event');
      const text = `${eventId}: ${status} ${JSON.stringify(body ?? '')}`.slice(0, 1_000);
      await db.write((tx) => tx.run('UPDATE outbox SET refused = ? WHERE seq = ?', text, seq));
    }
    this.#sent = seq;
    this.#failures.end();
  }

  async #failed(why: string, atLeast = 0): Promise<void> {
    this.#takesBatches = false;
    this.#isClassic = false;
    await this.interruption.wait(this.#failures.add(why, atLeast));
  }
}

const seen = (batch: OutboxRow[], positions: number[] = []) =>
  batch.map(({ event }, i) => ({ record: event, position: positions[i] }));
