import type { Request, Response } from 'express';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Database } from '../core/database.ts';
import { EVENT_TYPES } from '../core/events.ts';
import { addProcess } from './process-metrics.ts';

/** Upper bounds of the buckets: a request and a commit in seconds, works that share a commit as a number. */
const REQUEST = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const COMMIT = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1];
const WORKS = [1, 2, 5, 10, 20, 50, 100, 200, 500];

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];

/** What a gauge says: a number, or one for each value of its labels. */
type Value = number | (readonly [labels: Record<string, string>, value: number])[];
type Values<Name extends string> = Partial<Record<Name, Value>>;

/**
 * The metrics of one part, as Prometheus reads them. Counters begin at 0 with the process and count what was committed or
 * acknowledged. What can be read when somebody asks is read then. A label never has a value that a request chose.
 */
export class Metrics {
  readonly contentType = Registry.PROMETHEUS_CONTENT_TYPE;
  #registry = new Registry();
  #requests: Histogram;
  #readings: (() => Promise<void>)[] = [];

  constructor(db: Database) {
    this.#requests = this.histogram(
      'http_request_duration_seconds',
      'How long requests took, streams left out.',
      REQUEST,
      ['method', 'route', 'status'],
    );
    const duration = this.histogram(
      'database_commit_duration_seconds',
      'How long transactions took, from BEGIN to the end of their fsync.',
      COMMIT,
    );
    const works = this.histogram('database_commit_works', 'How many works shared a transaction.', WORKS);
    db.onMeasured((commit) => {
      duration.observe(commit.seconds);
      works.observe(commit.works);
    });
    addProcess(this, this.#registry);
  }

  /** A counter. The values of its label are named here and begin at 0: a rate needs to see what was before the first. */
  counter(name: string, help: string, label = '', values: readonly string[] = []): Counter {
    const counter = new Counter({ name, help, labelNames: label ? [label] : [], registers: [this.#registry] });
    for (const value of values) counter.inc({ [label]: value }, 0);
    return counter;
  }

  /** A histogram with these upper bounds. */
  histogram(name: string, help: string, buckets: number[], labelNames: string[] = []): Histogram {
    return new Histogram({ name, help, buckets, labelNames, registers: [this.#registry] });
  }

  /** Gauges that `read` gives when somebody asks. What it does not give, or all if it throws, is left out of the answer. */
  gauges<Name extends string>(
    help: Record<Name, string>,
    read: () => Values<Name> | Promise<Values<Name>>,
    labelNames: string[] = [],
  ): void {
    const registers = [this.#registry];
    const gauges = (Object.keys(help) as Name[]).map((name) => ({
      name,
      gauge: new Gauge({ name, help: help[name], labelNames, registers }),
    }));
    this.#readings.push(async () => {
      const values: Values<Name> = await Promise.try(read).catch(() => ({}));
      for (const { name, gauge } of gauges) set(gauge, values[name]);
    });
  }

  /** Everything, as text. */
  async text(): Promise<string> {
    await Promise.all(this.#readings.map((reading) => reading()));
    return this.#registry.metrics();
  }

  /** Measures a request from here until its answer has left, or broke off. A stream lasts as long as its reader likes. */
  readonly measure = (req: Request, res: Response): void => {
    const began = performance.now();
    res.on('close', () => {
      if (String(res.getHeader('content-type')).startsWith('text/event-stream')) return;
      const labels = {
        method: METHODS.includes(req.method) ? req.method : 'other',
        route: routeOf(req),
        status: res.writableFinished ? res.statusCode : 'aborted',
      };
      this.#requests.observe(labels, (performance.now() - began) / 1_000);
    });
  };
}

function set(gauge: Gauge, value: Value | undefined): void {
  gauge.reset();
  // A gauge without labels is 0 after that.
  gauge.remove({});
  if (typeof value === 'number') gauge.set(value);
  else for (const [labels, number] of value ?? []) gauge.set(labels, number);
}

/** The pattern of the route that took a request; `none` if it was refused before, or has no route. */
export function routeOf(req: Request): string {
  const pattern: string | string[] = req.route?.path ?? 'none';
  if (typeof pattern === 'string') return pattern;
  const { path } = req;
  const matches = (one: string) => new RegExp(`^${one.replace(/:\w+/g, '[^/]+')}/?$`, 'i').test(path);
  return pattern.find(matches) ?? 'none';
}

/** Adds events to a counter by their type; one that is not of ours is `other`. */
export function countTypes(counter: Counter, events: { type: string }[]): void {
  const counts = new Map<string, number>();
  for (const { type } of events) counts.set(type, (counts.get(type) ?? 0) + 1);
  for (const [type, count] of counts)
    counter.inc({ type: (EVENT_TYPES as string[]).includes(type) ? type : 'other' }, count);
}
