import { randomUUID } from 'node:crypto';
import { type Checkpoint, NEW, positionOf, type Stand, standSchema } from '@blog/common/checkpoint.ts';
import type { Database, Tx } from '@blog/common/database.ts';
import { type Answer, exchange, reason } from '@blog/common/http.ts';
import type { Log } from '@blog/common/log.ts';
import { Loop } from '@blog/common/loop.ts';
import { Problem, unavailable } from '@blog/common/problem.ts';
import { backoff, retryAfter } from '@blog/common/retry.ts';
import { deleteLetter, findLetter, park, parkedBehind } from './dead-letters.ts';
import type { Deliveries } from './deliveries.ts';
import { checkpointAt, type Entry, head, knows, readPage } from './log.ts';
import { BATCH } from './publish.ts';

/** While nothing is sent, the subscriber is asked where it stands every so often, in milliseconds. */
const ASK_EVERY = 5_000;
/** The most that goes in one push: events, and bytes of their text. */
const PUSH_EVENTS = 1_000;
const PUSH_BYTES = 500 * 1024;
/** How often a single event may be answered with one of these before it is parked. */
const REFUSALS = 5;
const REFUSED = [400, 413, 422];

type Options = { db: Database; log: Log; name: string; url: string; deadline: number; deliveries: Deliveries };
type Row = { position: number; paused: number; replay_id: string | null; replay_from: number | null };
type Order = { id: string; from: number };
/** What to push next: the events behind `after` that are not parked, and the place that the subscriber then has reached. */
type Batch = { after: Checkpoint; upto: Checkpoint; head: Checkpoint; events: Entry[] };

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
  #kind: 'unknown' | 'checkpointed' | 'plain' = 'unknown';
  #position = 0;
  #paused = false;
  #order: Order | undefined;
  /** Why subscriber and log are not of one history; nothing is pushed then but a replay order. */
  #diverged: string | undefined;
  #publisherDiverged: string | undefined;
  #failures = 0;
  #lastError: string | undefined;
  #nextAttempt: string | undefined;
  #refusals = { position: 0, count: 0 };
  #size = PUSH_EVENTS;
  #askAt = 0;
  /** The batch behind the one that is under way, read in the meantime. */
  #ahead: { after: number; batch: Promise<Batch> } | undefined;
  #commands: (() => Promise<void>)[] = [];

  constructor(options: Options) {
    super();
    this.name = options.name;
    this.#options = options;
    options.db.onCommit(() => this.work.raise());
  }

  // ---- The loop, from top to bottom

  protected async run(): Promise<void> {
    await this.#load();
    while (!this.stopped) {
      try {
        for (const command of this.#commands.splice(0)) await command();
        await this.#turn();
      } catch (error) {
        await this.#failed(error);
      }
    }
    for (const command of this.#commands) await command();
  }

  async #turn(): Promise<void> {
    if (this.#paused) return this.urgent.wait();
    if (performance.now() >= this.#askAt) await this.#ask();
    const batch = this.state === 'diverged' && !this.#order ? undefined : await this.#next();
    if (!batch || (batch.upto === batch.after && !this.#order)) {
      this.#recovered();
      return this.work.wait(Math.max(0, this.#askAt - performance.now()));
    }
    if (this.#kind === 'checkpointed') await this.#push(batch);
    else await this.#pushPlain(batch);
    this.#recovered();
    this.#askAt = performance.now() + ASK_EVERY;
  }

  /** Asks, without effect, where the subscriber stands; who cannot say is a plain subscriber. */
  async #ask(): Promise<void> {
    const answer = await this.#exchange('GET', { 'event-head': await this.#options.db.read(head) });
    const stand = standSchema.safeParse(answer.body);
    const success = answer.status >= 200 && answer.status < 300;
    if (success && stand.success) await this.#standsAt(stand.data);
    else if (success || answer.status === 404 || answer.status === 405) await this.#isPlain();
    else throw failure(answer);
    this.#askAt = performance.now() + ASK_EVERY;
  }

  /** The subscriber's own word decides: the position kept here is only a cache of it. */
  async #standsAt({ checkpoint, replay }: Stand): Promise<void> {
    this.#kind = 'checkpointed';
    if (this.#order && replay === this.#order.id) await this.#setOrder(undefined);
    if (await this.#options.db.read((tx) => knows(tx, checkpoint))) {
      this.#diverged = undefined;
      this.#advance(positionOf(checkpoint));
    } else {
      this.#diverge(`it stands at ${checkpoint}, which this log does not have`);
    }
  }

  async #isPlain(): Promise<void> {
    this.#kind = 'plain';
    this.#diverged = undefined;
    if (!this.#order) return;
    this.#advance(this.#order.from - 1);
    await this.#setOrder(undefined);
  }

  async #next(): Promise<Batch> {
    const after = this.#order ? this.#order.from - 1 : this.#position;
    const ahead = this.#ahead;
    this.#ahead = undefined;
    if (ahead?.after === after) return ahead.batch;
    return this.#read(after, this.#kind === 'checkpointed' ? this.#size : 1);
  }

  /** Reads what comes behind a position; parked events are left out, but `upto` passes them. */
  async #read(position: number, most: number): Promise<Batch> {
    const { db } = this.#options;
    const events: Entry[] = [];
    let bytes = 0;
    let next: number | undefined = position;
    let upto: Checkpoint | undefined;
    while (next !== undefined && events.length < most && bytes < PUSH_BYTES) {
      const from: number = next;
      const page = await db.read(async (tx) => ({
        ...(await readPage(tx, { after: from }, most)),
        parked: await parkedBehind(tx, this.name, from),
      }));
      next = page.next;
      for (const entry of page.entries) {
        const size = Buffer.byteLength(entry.record) + 1;
        const parked = page.parked.has(entry.position);
        if (!parked && events.length > 0 && (events.length === most || bytes + size > PUSH_BYTES)) {
          next = undefined;
          break;
        }
        upto = `${entry.position}-${entry.checksum}`;
        if (parked) continue;
        events.push(entry);
        bytes += size;
      }
    }
    return db.read(async (tx) => {
      const after = (await checkpointAt(tx, position)) ?? NEW;
      return { after, upto: upto ?? after, head: await head(tx), events };
    });
  }

  /** One batch to a subscriber that keeps its checkpoint. Only an answer that says where it stands counts. */
  async #push(batch: Batch): Promise<void> {
    const order = this.#order;
    const headers = { ...places(batch), 'content-type': BATCH, 'event-replay': order?.id };
    const sent = this.#exchange('POST', headers, `[${batch.events.map(({ record }) => record).join(',')}]`);
    if (batch.upto !== batch.head && !order) {
      const after = positionOf(batch.upto);
      const ahead = this.#read(after, Math.min(this.#size * 2, PUSH_EVENTS));
      ahead.catch(() => {});
      this.#ahead = { after, batch: ahead };
    }
    const answer = await sent;
    const stand = standSchema.safeParse(answer.body);
    if (![200, 409].includes(answer.status) || !stand.success) return this.#refused(answer, batch.events);
    await this.#standsAt(stand.data);
    if (stand.data.checkpoint === batch.upto) this.#delivered(batch.events);
    else if (this.#order && this.#order === order) {
      this.#options.log.warn({ subscription: this.name, from: order?.from }, 'the replay order was not taken');
      await this.#setOrder(undefined);
    } else if (stand.data.checkpoint === batch.after)
      throw new Failure(`answered ${answer.status} and stays where it is`);
    else this.#ahead = undefined;
    this.#size = Math.min(this.#size * 2, PUSH_EVENTS);
  }

  /** One event to a plain subscriber; any 2xx moves the position that is kept here. */
  async #pushPlain(batch: Batch): Promise<void> {
    const [event] = batch.events;
    if (event) {
      const answer = await this.#exchange(
        'POST',
        { ...places(batch), 'content-type': 'application/json' },
        event.record,
      );
      if (answer.status < 200 || answer.status >= 300) return this.#refused(answer, batch.events);
      // It keeps a checkpoint after all: it has been swapped for one of ours.
      if (standSchema.safeParse(answer.body).success) return this.#ask();
    }
    this.#delivered(batch.events);
    this.#advance(positionOf(batch.upto));
  }

  /** A single event that is refused again and again is parked; anything else is tried again. */
  async #refused(answer: Answer, events: Entry[]): Promise<void> {
    const [event, more] = events;
    if (!event || more || !REFUSED.includes(answer.status)) throw failure(answer);
    const count = this.#refusals.position === event.position ? this.#refusals.count + 1 : 1;
    this.#refusals = { position: event.position, count };
    if (count < REFUSALS) throw failure(answer);
    await this.#park(event.position, `answered ${answer.status} ${count} times: ${detail(answer)}`);
  }

  async #failed(error: unknown): Promise<void> {
    this.#failures += 1;
    this.#size = 1;
    this.#ahead = undefined;
    this.#askAt = 0;
    const why = error instanceof Failure ? error.message : reason(error);
    if (why !== this.#lastError) this.#options.log.warn({ subscription: this.name, reason: why }, 'delivery failed');
    this.#lastError = why;
    const pause = Math.max(backoff(this.#failures), error instanceof Failure ? error.pause : 0);
    this.#nextAttempt = new Date(Date.now() + pause).toISOString();
    await this.urgent.wait(pause);
  }

  #recovered(): void {
    if (this.#failures > 0) this.#options.log.info({ subscription: this.name }, 'delivering again');
    this.#failures = 0;
    this.#lastError = undefined;
    this.#nextAttempt = undefined;
  }

  #delivered(events: Entry[]): void {
    const attempts = this.#failures + 1;
    for (const { position } of events) this.#options.deliveries.add(position, this.name, attempts);
  }

  // ---- What a person may do

  pause(): Promise<void> {
    return this.#command(async () => this.#setPaused(true));
  }

  resume(): Promise<void> {
    return this.#command(async () => this.#setPaused(false));
  }

  /** Parks the event that this subscription is stuck on. */
  skip(): Promise<void> {
    return this.#command(async () => {
      if (this.state === 'diverged') throw new Problem(409, 'The subscription is diverged: replay it.');
      const [event] = (await this.#read(this.#position, 1)).events;
      if (!event) throw new Problem(409, 'There is no event to skip.');
      await this.#park(event.position, `skipped by hand${this.#lastError ? `: ${this.#lastError}` : ''}`);
    });
  }

  /** Goes back, so that `from` is the first position pushed; a checkpointed subscriber is ordered to. */
  replay(from: number): Promise<void> {
    return this.#command(async () => {
      const most = this.state === 'diverged' ? 1 : this.#position + 1;
      if (from > most) {
        throw new Problem(400, `from must be at most ${most}`, {
          errors: [{ field: 'from', detail: `must be at most ${most}` }],
        });
      }
      await this.#setOrder({ id: randomUUID(), from });
      this.#askAt = 0;
    });
  }

  /** Delivers a dead letter once more, outside the order; it goes after a 2xx. */
  redeliver(id: number): Promise<void> {
    const { db, deliveries } = this.#options;
    return this.#command(async () => {
      const { entry, newest } = await db.read(async (tx) => ({
        entry: await findLetter(tx, id),
        newest: await head(tx),
      }));
      if (!entry) throw new Problem(404, 'There is no such dead letter.');
      const headers = { 'event-head': newest, 'content-type': 'application/json' };
      const answer = await this.#exchange('POST', headers, entry.record).catch((error) => {
        throw unavailable(`${this.name} does not answer: ${reason(error)}.`);
      });
      if (answer.status < 200 || answer.status >= 300)
        throw new Problem(409, `${this.name} ${failure(answer).message}.`);
      await db.write((tx) => deleteLetter(tx, id));
      deliveries.add(entry.position, this.name, 1);
    });
  }

  /** The log has lost events that a publisher of this name was told it had; undefined when that is over. */
  publisherDiverged(published: Checkpoint | undefined): void {
    const why = published && `it was told ${published}, which this log does not have`;
    if (why && why !== this.#publisherDiverged) this.#logDivergence(why);
    this.#publisherDiverged = why;
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

  // ---- Its state

  get state(): string {
    if (this.#paused) return 'paused';
    if (this.#diverged || this.#publisherDiverged) return 'diverged';
    if (this.#failures > 0) return 'retrying';
    return this.#kind === 'unknown' ? 'starting' : 'live';
  }

  async status(tx: Tx): Promise<object> {
    const lag = positionOf(await head(tx)) - this.#position;
    const next = lag > 0 ? (await readPage(tx, { after: this.#position }, 1)).entries[0] : undefined;
    const since = next ? Date.parse(JSON.parse(next.record).time) : Date.now();
    return {
      name: this.name,
      url: this.#options.url,
      kind: this.#kind,
      position: this.#position,
      lag,
      lagSeconds: Math.max(0, Math.round((Date.now() - since) / 1_000)),
      state: this.state,
      replay: this.#order ?? null,
      lastError: this.#diverged ?? this.#publisherDiverged ?? this.#lastError ?? null,
      nextAttempt: this.#nextAttempt ?? null,
    };
  }

  async degraded(): Promise<string[]> {
    const why = this.#diverged ?? this.#publisherDiverged;
    if (why) return [`${this.name} is diverged: ${why}.`];
    return this.#failures > 0 ? [`Delivery to ${this.name} is being tried again: ${this.#lastError}.`] : [];
  }

  #diverge(why: string): void {
    if (why !== this.#diverged) this.#logDivergence(why);
    this.#diverged = why;
    this.#ahead = undefined;
  }

  #logDivergence(why: string): void {
    this.#options.log.error({ subscription: this.name, reason: why }, 'subscription diverged');
  }

  async #load(): Promise<void> {
    const { db, name } = this.#options;
    const row = await db.write(async (tx) => {
      await tx.run('INSERT OR IGNORE INTO subscriptions (name) VALUES (?)', name);
      return tx.get<Row>('SELECT position, paused, replay_id, replay_from FROM subscriptions WHERE name = ?', name);
    });
    this.#position = row?.position ?? 0;
    this.#paused = row?.paused === 1;
    if (row?.replay_id) this.#order = { id: row.replay_id, from: row.replay_from ?? 1 };
  }

  /** Moves the position; it rides with the next commit, because losing it only repeats a question or an event. */
  #advance(position: number): void {
    if (position === this.#position) return;
    this.#position = position;
    const sql = 'UPDATE subscriptions SET position = ? WHERE name = ?';
    this.#options.db.later((tx) => tx.run(sql, position, this.name));
  }

  async #setPaused(paused: boolean): Promise<void> {
    const sql = 'UPDATE subscriptions SET paused = ? WHERE name = ?';
    await this.#options.db.write((tx) => tx.run(sql, Number(paused), this.name));
    this.#paused = paused;
    this.#askAt = 0;
  }

  async #setOrder(order: Order | undefined): Promise<void> {
    const sql = 'UPDATE subscriptions SET replay_id = ?, replay_from = ? WHERE name = ?';
    await this.#options.db.write((tx) => tx.run(sql, order?.id ?? null, order?.from ?? null, this.name));
    // A taken order makes this log the one that publisher and subscriber know from now on.
    if (this.#order && !order) this.#publisherDiverged = undefined;
    this.#order = order;
  }

  async #park(position: number, why: string): Promise<void> {
    this.#options.log.error({ subscription: this.name, position, reason: why }, 'event parked');
    await this.#options.db.write((tx) => park(tx, this.name, position, why));
    this.#ahead = undefined;
  }

  #exchange(method: 'GET' | 'POST', headers: Record<string, string | undefined>, body?: string): Promise<Answer> {
    const { url, deadline } = this.#options;
    return exchange({ method, url, headers, body, deadline, ending: this.ending });
  }
}

const places = ({ after, upto, head }: Batch) => ({ 'event-after': after, 'event-upto': upto, 'event-head': head });

const detail = ({ body }: Answer) => String((body as { detail?: unknown } | undefined)?.detail ?? '').slice(0, 500);

function failure(answer: Answer): Failure {
  const text = `answered ${answer.status} ${detail(answer)}`.trim();
  return new Failure(text, retryAfter(answer.status, answer.headers['retry-after']));
}
