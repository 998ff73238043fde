import type { Counter } from 'prom-client';
import { failpoint } from '../observe/failpoints.ts';
import type { Log } from '../observe/log.ts';
import type { Metrics } from '../observe/metrics.ts';
import { exchangeEvents, fieldsOf } from '../observe/spans.ts';
import { askForEvents, isProblem } from './bus-answers.ts';
import { type Checkpoint, checkpointText, NEW, positionOf } from './checkpoint.ts';
import type { Database, Tx } from './database.ts';
import { BATCH, PLAIN } from './events.ts';
import { type Answer, type Bus, reason } from './exchange.ts';
import { backoff, gathering, Loop, retryAfter } from './loop.ts';
import { firstOf } from './rows.ts';

/** The outbox, and the bus's last checkpoint: up to there the bus has said that it has everything of ours. */
export const outboxSchema = `
  CREATE TABLE outbox (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    event TEXT NOT NULL,
    refused TEXT
  ) STRICT;
  CREATE TABLE publication (checkpoint TEXT) STRICT;
  INSERT INTO publication VALUES (NULL);
`;

/** The most that goes in one request: events, and bytes of their text. */
const BATCH_EVENTS = 1_000;
const BATCH_BYTES = 500 * 1024;

/**
 * The longest pause before the next attempt, in milliseconds. Shorter than a comment waits for its post: once the bus is
 * back for that long, it has what every service had to say.
 */
const LONGEST_PAUSE = 1_000;

/**
 * The outbox is looked at every so often, in milliseconds: another process of this service, an old one that was stopping, may
 * have put something in and not sent it.
 */
const LOOK_EVERY = 5_000;

const LOST = ': its log has lost events that it had acknowledged; replay this service';
/** Whatever a stranger refuses, the bus may take. A classic bus never says what is wrong with an event, so it is asked again. */
const STRANGER = ', and not as a problem document: perhaps something else answers at its address';

/** Puts an event into the outbox, in the transaction of the change that it tells of. */
export function enqueue(tx: Tx, event: object | string): void {
  const text = typeof event === 'string' ? event : JSON.stringify(event);
  tx.run('INSERT INTO outbox (event) VALUES (?)', text);
}

/**
 * A replay order was taken: what was refused is sent once more. One from the start: from here on the log is what a person says
 * it is, whatever the bus had acknowledged. A later one says nothing of that, and a log that loses events after it must still
 * be noticed.
 */
export function replayedFrom(tx: Tx, after: Checkpoint): void {
  sendRefusedAgain(tx);
  if (positionOf(after) === 0) publishedUpTo(tx, after);
}

/** At the end of the outbox, each once: what was behind the refused events has gone before them. */
function sendRefusedAgain(tx: Tx): void {
  tx.run(
    'INSERT INTO outbox (event) SELECT event FROM outbox WHERE refused IS NOT NULL GROUP BY event ORDER BY min(seq)',
  );
  tx.run('DELETE FROM outbox WHERE refused IS NOT NULL');
}

function publishedUpTo(tx: Tx, checkpoint: Checkpoint): void {
  tx.run('UPDATE publication SET checkpoint = ?', checkpoint);
}

type Publication = { checkpoint: Checkpoint | null };
type Row = { seq: number; event: string };
type Options = { db: Database; bus: Bus; log: Log; metrics: Metrics };

/**
 * Sends the outbox to the bus, in order, until the bus has answered that the events are on disk. A crash at any moment
 * sends some of them again; the bus recognises them.
 */
export class Relay extends Loop {
  #trouble: string | undefined;
  #options: Options;
  /** The last row that the bus has acknowledged: rows up to it go with the next commit. */
  #sent = 0;
  /** Whether the bus has shown, by a `position` in its answer, that it takes batches; a classic bus never does. */
  #takesBatches = false;
  /** Set once a classic bus has been found in the place of one that named positions. */
  #classic = false;
  /** Rows up to this one go one by one, because a batch with them was refused. */
  #single = 0;
  #failures = 0;
  #published: Counter;

  constructor(options: Options) {
    super();
    this.#options = options;
    const { db, metrics } = options;
    db.onCommit(() => this.work.raise());
    this.#published = metrics.counter('outbox_published_events_total', 'Events that the bus has acknowledged.');
    const help = {
      outbox_events: 'Events that wait to be published.',
      outbox_oldest_seconds: 'How long ago the first of them was made; 0 if there is none.',
      outbox_refused_events: 'Events that the bus refused, kept for a person to look at.',
    };
    metrics.gauges(help, () => db.read((tx) => this.#depth(tx)));
  }

  /** Whether the last exchange with the bus failed, and is being tried again. */
  get fails(): boolean {
    return this.#failures > 0;
  }

  async degraded(): Promise<string[]> {
    const refused = await this.#options.db.read((tx) =>
      tx.all<{ refused: string }>(
        'SELECT refused FROM outbox WHERE seq < ? AND refused IS NOT NULL LIMIT 100',
        this.#first(tx)?.seq ?? Number.MAX_SAFE_INTEGER,
      ),
    );
    const trouble = this.#trouble ? [`Publishing waits: ${this.#trouble}.`] : [];
    return [...trouble, ...refused.map(({ refused }) => `The bus refused ${refused}`)];
  }

  /** The first row that waits. Refused ones stand before it, and none behind it: an outbox may be long, and is not searched. */
  #first(tx: Tx): Row | undefined {
    return tx.get<Row>(
      'SELECT seq, event FROM outbox WHERE seq > ? AND refused IS NULL ORDER BY seq LIMIT 1',
      this.#sent,
    );
  }

  /** Rows follow one another without gaps, so that the ends tell how many they are. */
  #depth(tx: Tx) {
    const first = this.#first(tx);
    const last = tx.get<{ seq: number }>('SELECT seq FROM outbox ORDER BY seq DESC LIMIT 1');
    const refused = tx.get<{ count: number }>(
      'SELECT count(*) AS count FROM outbox WHERE seq < ? AND refused IS NOT NULL',
      first?.seq ?? Number.MAX_SAFE_INTEGER,
    );
    const age = first ? Date.now() - Date.parse(JSON.parse(first.event).time) : 0;
    return {
      outbox_events: first && last ? last.seq - first.seq + 1 : 0,
      outbox_oldest_seconds: Math.max(0, age / 1_000),
      outbox_refused_events: refused?.count,
    };
  }

  /** Until the end, and then as long as the bus takes what is left: others wait for what callers were told is there. */
  protected async run(): Promise<void> {
    const { db } = this.#options;
    let isFirst = true;
    while (!(this.stopped && this.fails)) {
      try {
        if (isFirst && (await db.read((tx) => tx.get('SELECT 1 FROM outbox WHERE refused IS NOT NULL'))))
          await db.write(sendRefusedAgain);
        isFirst = false;
        if (await this.#step()) continue;
        if (this.stopped) return;
        await this.work.wait(LOOK_EVERY);
      } catch (error) {
        await this.#failed(reason(error), 0);
      }
    }
  }

  /** Sends what is next. False when there is nothing to send. */
  async #step(): Promise<boolean> {
    const { db, bus } = this.#options;
    const limit = this.#takesBatches && this.#sent >= this.#single ? BATCH_EVENTS : 1;
    const next = 'SELECT seq, event FROM outbox WHERE seq > ? AND refused IS NULL ORDER BY seq LIMIT ?';
    const { found, published } = await db.read((tx) => ({
      found: firstOf(tx.each<Row>(next, this.#sent, limit), limit, BATCH_BYTES, bytesOf),
      published: tx.get<Publication>('SELECT checkpoint FROM publication')?.checkpoint,
    }));
    const { rows: batch, more } = found;
    const last = batch.at(-1);
    if (!last) return false;
    failpoint('read-not-sent');

    const one = batch.length === 1;
    const request = {
      method: 'POST',
      url: `${bus.url}/events`,
      token: bus.token,
      ending: this.ending,
      headers: {
        'content-type': one ? PLAIN : BATCH,
        ...(published ? { 'event-published': published } : {}),
      },
      body: one ? last.event : `[${batch.map(({ event }) => event).join(',')}]`,
    } as const;
    const answer = await exchangeEvents(request, 'send', 'event-bus', () => batch.map(({ event }) => event));

    const { status } = answer;
    if (status >= 200 && status < 300) {
      await this.#accepted(batch, answer, Boolean(published));
      if (!more && batch.length < limit && !this.stopped) await this.urgent.wait(gathering(batch.length));
    } else if (![400, 409, 413, 422].includes(status) || !isProblem(answer)) {
      const why = !isProblem(answer) ? STRANGER : status === 412 ? LOST : '';
      await this.#failed(`the bus answered ${status}${why}`, retryAfter(status, answer.headers['retry-after']));
    } else if (!one) {
      this.#single = last.seq;
    } else {
      await this.#refused(last, status, answer.body);
    }
    return true;
  }

  /** Takes a 2xx for an acknowledgement if it names the positions, or is a classic bus's. */
  async #accepted(batch: Row[], { status, body }: Answer, isKnown: boolean): Promise<void> {
    const said = (body ?? {}) as { position?: unknown; positions?: unknown; checkpoint?: unknown };
    const one = batch.length === 1;
    const positions = one ? [said.position] : said.positions;
    const isPlaced = Array.isArray(positions) && positions.length === batch.length && positions.every(Number.isInteger);
    if (!isPlaced && !one) return this.#failed('the bus did not understand a batch', 0);
    if (!isPlaced && isKnown && !(await this.#isClassic())) {
      const { url } = this.#options.bus;
      return this.#failed(`what answers ${status} at ${url} says no position: it is not the bus of before`, 0);
    }
    this.#acknowledged((batch.at(-1) as Row).seq, isPlaced, said.checkpoint);
    this.#published.inc(batch.length);
    this.#tell(batch, isPlaced ? positions : []);
  }

  /**
   * Asks for a classic bus in the place of one that named positions: its bare 2xx counts. Anything else that answers 200 there
   * does not have the event.
   */
  async #isClassic(): Promise<boolean> {
    this.#classic ||= (await askForEvents(this.#options.bus, this.ending))?.isClassic === true;
    return this.#classic;
  }

  #acknowledged(seq: number, takesBatches: boolean, checkpoint: unknown): void {
    failpoint('sent-not-forgotten');
    this.#sent = seq;
    this.#takesBatches = takesBatches;
    if (takesBatches) this.#classic = false;
    this.#recovered();
    const known = checkpointText.safeParse(checkpoint);
    this.#options.db.later((tx) => {
      tx.run('DELETE FROM outbox WHERE seq <= ? AND refused IS NULL', seq);
      // An event that the log had before is answered with its old place: what the bus has said, it has said.
      const last = tx.get<Publication>('SELECT checkpoint FROM publication');
      const newer = positionOf(last?.checkpoint ?? NEW) < positionOf(known.data ?? NEW);
      if (known.data && newer) publishedUpTo(tx, known.data);
    });
  }

  #tell(batch: Row[], positions: unknown[]): void {
    const { log } = this.#options;
    if (!log.isLevelEnabled('debug')) return;
    for (const [i, { event }] of batch.entries())
      log.debug({ position: positions[i], ...fieldsOf(event) }, 'event published');
  }

  /**
   * 409: the log has it already, with other content, which stands. Any other refusal: kept, for a person to look at, and sent
   * again at the next start and when a replay is ordered.
   */
  async #refused({ seq, event }: Row, status: number, answer: unknown): Promise<void> {
    const { db, log } = this.#options;
    const { eventId = 'an event', ...fields } = fieldsOf(event);
    if (status === 409) {
      log.warn({ eventId, ...fields }, 'the log holds this event with other content, which stands');
      await db.write((tx) => tx.run('DELETE FROM outbox WHERE seq = ?', seq));
    } else {
      log.error({ eventId, ...fields, status, answer }, 'the bus refused an event');
      const text = `${eventId}: ${status} ${JSON.stringify(answer ?? '')}`.slice(0, 1_000);
      await db.write((tx) => tx.run('UPDATE outbox SET refused = ? WHERE seq = ?', text, seq));
    }
    this.#sent = seq;
    this.#recovered();
  }

  async #failed(why: string, atLeast: number): Promise<void> {
    this.#takesBatches = false;
    this.#classic = false;
    if (this.#trouble !== why) this.#options.log.warn({ reason: why }, 'cannot publish for now');
    this.#trouble = why;
    this.#failures += 1;
    await this.urgent.wait(Math.max(backoff(this.#failures, LONGEST_PAUSE), atLeast));
  }

  #recovered(): void {
    if (this.#trouble) this.#options.log.info('publishing again');
    this.#trouble = undefined;
    this.#failures = 0;
  }
}

/** With the comma behind it. */
const bytesOf = ({ event }: Row): number => Buffer.byteLength(event) + 1;
