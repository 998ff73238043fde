import { type Request, type Response, Router } from 'express';
import type { Counter } from 'prom-client';
import { z } from 'zod';
import { onlyWithToken } from '../http/access.ts';
import { EVENTS_LIMIT, jsonBody } from '../http/input.ts';
import { databaseProblem, onlyMethods, Problem, parse } from '../http/problem.ts';
import { failpoint } from '../observe/failpoints.ts';
import type { Log } from '../observe/log.ts';
import { countTypes, type Metrics } from '../observe/metrics.ts';
import { type Processing, startProcessing } from '../observe/spans.ts';
import { traceIdOf, traceparentOf } from '../observe/traces.ts';
import { askForEvents, headOf } from './bus-answers.ts';
import { type Checkpoint, checkpointText, NEW, positionOf, type Stand } from './checkpoint.ts';
import type { Database, Tx } from './database.ts';
import { BATCH, EVENT, type EventType, type KnownEvent, PLAIN, parseEvent } from './events.ts';
import { type Bus, exchange, reason } from './exchange.ts';
import { backoff, Loop } from './loop.ts';

/** Where this service stands in the log, in its own database: moved in the transaction of the effects. */
export const checkpointSchema = `
  CREATE TABLE stand (checkpoint TEXT NOT NULL, replay TEXT) STRICT;
  INSERT INTO stand VALUES ('${NEW}', NULL);
`;

/** For how long what the bus said last still counts, in milliseconds. */
const RECENT = 10_000;

/** How long the bus may take to say where its log ends, in milliseconds. */
const QUESTION = 1_000;

const pushHeaders = z.object({
  'event-after': checkpointText.optional(),
  'event-upto': checkpointText.optional(),
  'event-head': checkpointText.optional(),
  'event-replay': z.string().max(100).optional(),
});
type PushHeaders = z.output<typeof pushHeaders>;

type Options<Result> = {
  db: Database;
  bus: Bus;
  log: Log;
  metrics: Metrics;
  /** The types that this service handles; it ignores all others. */
  handles: readonly EventType[];
  /** Those of them that somebody waits for: the bus may gather all others for a moment. */
  urgent: readonly EventType[];
  /** Applies one event; throwing makes it a poison event. Idempotent by the ids in `data`. */
  handle: (tx: Tx, event: KnownEvent) => Result;
  /** A replay order is being taken that makes this service stand at `after`. */
  onOrder?: (tx: Tx, after: Checkpoint) => void;
  /** Told after COMMIT what was applied, and what `handle` returned for each. */
  onApplied?: (events: KnownEvent[], results: Result[]) => void;
};

/** Takes events from the bus: `POST /events`, and `GET /events`, which says where this service stands. */
export class Subscriber<Result = void> extends Loop {
  readonly routes = Router();
  #options: Options<Result>;
  #applied: Counter;
  #heardAt = Number.NEGATIVE_INFINITY;
  #classic = false;

  constructor(options: Options<Result>) {
    super();
    this.#options = options;
    this.#applied = options.metrics.counter(
      'events_applied_total',
      'Events whose effects were committed; again, if they came again.',
      'type',
      options.handles,
    );
    this.routes.get('/events', async (req, res) => {
      const { 'event-head': head } = parse(pushHeaders, req.headers);
      const stand = await options.db.read(readStand);
      this.#heard(head);
      res.json({ ...stand, urgent: options.urgent });
    });
    const body = jsonBody(EVENTS_LIMIT, PLAIN, EVENT, BATCH);
    this.routes.post('/events', onlyWithToken(options.bus.token), body, (req, res) => this.#receive(req, res));
    this.routes.all('/events', onlyMethods('GET', 'POST'));
  }

  /** Whether a bus was heard from lately; a classic one says nothing unless there is an event. */
  get hearsBus(): boolean {
    return this.#classic || performance.now() - this.#heardAt < RECENT;
  }

  /** Asks the bus where its log ends now. Undefined: it is away, or its log is another one. A classic bus cannot tell. */
  async askHead(): Promise<Checkpoint | undefined> {
    if (this.#classic) return NEW;
    const { db, bus } = this.#options;
    const { checkpoint } = await db.read(readStand);
    const question = { method: 'HEAD', url: `${bus.url}/events`, deadline: QUESTION, ending: this.ending } as const;
    const answer = await exchange(question).catch(() => undefined);
    const head = answer && headOf(answer.headers);
    return head && positionOf(head) >= positionOf(checkpoint) ? head : undefined;
  }

  /** Whether this service has everything up to there. */
  async has(head: Checkpoint): Promise<boolean> {
    const { checkpoint } = await this.#options.db.read(readStand);
    return positionOf(checkpoint) > positionOf(head) || joins(checkpoint, head);
  }

  async degraded(): Promise<string[]> {
    return this.hearsBus ? [] : ['The bus was not heard from lately.'];
  }

  async #receive(req: Request, res: Response): Promise<void> {
    const headers = parse(pushHeaders, req.headers);
    const { 'event-after': after, 'event-upto': upto, 'event-head': head } = headers;
    const events = this.#parse(Array.isArray(req.body) ? req.body : [req.body], after, upto);
    const exchange = traceparentOf(req);
    if (after === undefined || upto === undefined) {
      await this.#applyAlone(events, exchange);
      // Only a classic bus never names its head: a redelivery does.
      this.#classic = head === undefined;
      res.json({ status: 'OK' });
      return;
    }
    const processed = startProcessing(events, exchange);
    const { stand, results } = await this.#apply(processed, (tx) => {
      const before = this.#standBefore(tx, headers);
      if (!joins(before.checkpoint, after)) return { stand: before };
      const results = this.#handleAll(tx, events);
      const now = { ...before, checkpoint: upto };
      tx.run('UPDATE stand SET checkpoint = ?, replay = ?', now.checkpoint, now.replay ?? null);
      return { stand: now, results };
    });
    if (results) {
      processed();
      this.#tell(events, results);
    }
    this.#heard(head);
    res.status(results ? 200 : 409).json(stand);
  }

  /** Where this service stands; if the push carries a replay order not yet taken, it is taken first, but only backwards. */
  #standBefore(tx: Tx, { 'event-after': after = NEW, 'event-replay': replay }: PushHeaders): Stand {
    const stand = readStand(tx);
    if (!replay || replay === stand.replay || positionOf(after) > positionOf(stand.checkpoint)) return stand;
    this.#options.onOrder?.(tx, after);
    return { checkpoint: after, replay };
  }

  #parse(inputs: unknown[], after?: Checkpoint, upto?: Checkpoint): KnownEvent[] {
    // Parked events are left out of a push. If none is, the places follow from where it begins.
    const isWhole = after && upto && positionOf(upto) - positionOf(after) === inputs.length;
    const events: KnownEvent[] = [];
    for (const [i, input] of inputs.entries()) {
      const event = parseEvent(input, this.#options.handles);
      if (event && isWhole) event.position = positionOf(after) + i + 1;
      if (event) events.push(event);
    }
    return events;
  }

  #handleAll(tx: Tx, events: KnownEvent[]): Result[] {
    return events.map((event) => this.#options.handle(tx, event));
  }

  /** Without a place in the log. */
  async #applyAlone(events: KnownEvent[], exchange?: string): Promise<void> {
    const processed = startProcessing(events, exchange);
    const results = await this.#apply(processed, (tx) => this.#handleAll(tx, events));
    processed();
    this.#tell(events, results);
  }

  #tell(events: KnownEvent[], results: Result[]): void {
    const { log, onApplied } = this.#options;
    countTypes(this.#applied, events);
    if (log.isLevelEnabled('debug')) {
      for (const { eventId, type, position, traceparent } of events)
        log.debug({ position, eventId, type, traceId: traceIdOf(traceparent) }, 'event applied');
    }
    onApplied?.(events, results);
  }

  /** One transaction; what a handler throws becomes a 422, what the database throws a 503 or 507. */
  async #apply<T>(failed: Processing, work: (tx: Tx) => T): Promise<T> {
    const { db, log } = this.#options;
    try {
      const result = await db.write(work);
      failpoint('applied-not-answered');
      return result;
    } catch (error) {
      const known = error instanceof Problem ? error : databaseProblem(error);
      failed(known?.message ?? 'a handler failed');
      if (known) throw error;
      log.error({ err: error }, 'a handler failed');
      throw new Problem(422, 'An event could not be handled.');
    }
  }

  #heard(head: Checkpoint | undefined): void {
    if (head === undefined) return;
    this.#classic = false;
    this.#heardAt = performance.now();
  }

  /** Once the server listens: asks what kind of bus there is, because a classic one never pushes what came before. */
  protected async run(): Promise<void> {
    const { bus, log } = this.#options;
    for (let attempt = 1; !this.stopped; attempt += 1) {
      try {
        const answer = await askForEvents(bus, this.ending);
        if (answer) {
          this.#classic = answer.isClassic;
          if (answer.isClassic) await this.#applyHistory(answer.events);
          else this.#heard(answer.head);
          return;
        }
        log.debug('the bus does not say what it is');
      } catch (error) {
        log.debug({ reason: reason(error) }, 'the bus does not answer yet');
      }
      await this.urgent.wait(backoff(attempt));
    }
  }

  /** One transaction an event: one that cannot be handled does not keep the others out. */
  async #applyHistory(history: unknown[]): Promise<void> {
    this.#options.log.info({ events: history.length }, 'applying the history of a classic bus');
    const applied = history.map(async (input) => {
      const events = this.#parse([input]);
      await this.#applyAlone(events);
    });
    for (const result of await Promise.allSettled(applied)) {
      if (result.status === 'rejected') this.#options.log.warn({ err: result.reason }, 'an event was skipped');
    }
  }
}

/** Whether a batch that begins behind `after` continues from here. */
const joins = (stand: Checkpoint, after: Checkpoint) => stand === after || (stand === NEW && positionOf(after) === 0);

function readStand(tx: Tx): Stand {
  const stand = tx.get<Stand>('SELECT checkpoint, replay FROM stand');
  return stand ?? { checkpoint: NEW, replay: null };
}
