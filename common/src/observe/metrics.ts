// Metrics of one part, as Prometheus reads them.
import type { Request, Response } from 'express';
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Database } from '../core/database.ts';
import type { Circumstances, Seen, Step } from '../core/observer.ts';

/** Upper bounds of the buckets: a request and a commit in seconds, works that share a commit and events of a push as numbers. */
const REQUEST = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const COMMIT = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1];
const WORKS = [1, 2, 5, 10, 20, 50, 100, 200, 500];
const EVENTS = [...WORKS, 1_000];

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];

/** The counters of the pipeline's steps: name, help, label. */
const STEPS: Partial<Record<Step, [name: string, help: string, label?: 'type' | 'subscription']>> = {
  sent: ['outbox_published_events_total', 'Events that the bus has acknowledged.'],
  applied: ['events_applied_total', 'Events whose effects were committed; again, if they came again.', 'type'],
  logged: ['events_published_total', 'Events that are new in the log.', 'type'],
  answered: ['events_delivered_total', 'Events that a subscriber took.', 'subscription'],
  parked: ['events_parked_total', 'Events that became dead letters.', 'subscription'],
  failed: ['delivery_failures_total', 'Deliveries that failed.', 'subscription'],
};

/** The value of a gauge: a number, or one for each value of its labels. */
type Value = number | (readonly [labels: Record<string, string>, value: number])[];

/** Counters begin at 0 with the process and count what was committed or acknowledged. No label has a value that a request chose. */
export class Metrics extends Registry {
  #requests: Histogram;
  #steps = new Map<Step, (events: readonly Seen[], subscription: string) => void>();

  constructor(db: Database) {
    super();
    const requests = 'Duration of requests, streams left out.';
    const labels = ['method', 'route', 'status'];
    this.#requests = this.#histogram('http_request_duration_seconds', requests, REQUEST, labels);
    const commits = 'Duration of transactions, from BEGIN to the end of their fsync.';
    const duration = this.#histogram('database_commit_duration_seconds', commits, COMMIT);
    const works = this.#histogram('database_commit_works', 'Works that shared a transaction (group commit).', WORKS);
    db.onMeasured((commit) => {
      duration.observe(commit.seconds);
      works.observe(commit.works);
    });
  }

  /** All metrics, as text. Those of the process are measured from the first scrape on, so that an idle process stays idle. */
  override metrics(): Promise<string> {
    if (!this.getSingleMetric('process_start_time_seconds'))
      collectDefaultMetrics({ register: this, eventLoopMonitoringPrecision: 50 });
    return super.metrics();
  }

  /** A counter. The values of its label are named here and begin at 0: a rate needs the value before the first event. */
  counter(name: string, help: string, label = '', values: readonly string[] = []): Counter {
    const counter = new Counter({ name, help, labelNames: label ? [label] : [], registers: [this] });
    for (const value of values) counter.inc({ [label]: value }, 0);
    return counter;
  }

  /** A counter whose value `read` gives when it is asked for. */
  count(name: string, help: string, read: () => number): void {
    new Counter({
      ...{ name, help, registers: [this] },
      collect() {
        this.reset();
        this.inc(read());
      },
    });
  }

  /** A gauge that `read` gives when it is asked for; left out of the answer if `read` throws. */
  gauge(name: string, help: string, read: () => Value | Promise<Value>, labelNames: string[] = []): void {
    new Gauge({
      ...{ name, help, labelNames, registers: [this] },
      async collect() {
        const value = await Promise.try(read).catch(() => []);
        this.reset();
        this.remove({}); // a gauge without labels is 0 after reset
        if (typeof value === 'number') this.set(value);
        else for (const [labels, number] of value) this.set(labels, number);
      },
    });
  }

  /** Counts the events of a step from now on; `values` are those of its label. A step without events counts once. */
  countStep(step: Step, values: readonly string[] = []): Counter {
    const [name, help, label = ''] = STEPS[step] ?? [step, ''];
    const counter = this.counter(name, help, label, values);
    const pushes =
      step === 'answered' ? this.#histogram('push_events', 'Events in a push that was taken.', EVENTS) : undefined;
    this.#steps.set(step, (events, subscription) => {
      pushes?.observe(events.length);
      if (label !== 'type') counter.inc(label ? { [label]: subscription } : {}, Math.max(1, events.length));
      else for (const { type = '' } of events) counter.inc({ type: values.includes(type) ? type : 'other' });
    });
    return counter;
  }

  step(step: Step, events: readonly Seen[], { subscription = '' }: Circumstances): void {
    this.#steps.get(step)?.(events, subscription);
  }

  /** Counts a request and its duration. A stream lasts as long as its reader likes, and is left out. */
  request(req: Request, res: Response, seconds: number): void {
    if (String(res.getHeader('content-type')).startsWith('text/event-stream')) return;
    const method = METHODS.includes(req.method) ? req.method : 'other';
    const status = res.writableFinished ? res.statusCode : 'aborted';
    this.#requests.observe({ method, route: routeOf(req), status }, seconds);
  }

  /** A histogram of the durations of commits, in seconds. */
  duration(name: string, help: string): Histogram {
    return this.#histogram(name, help, COMMIT);
  }

  #histogram(name: string, help: string, buckets: number[], labelNames: string[] = []): Histogram {
    return new Histogram({ name, help, buckets, labelNames, registers: [this] });
  }
}

/** The pattern of the route that took a request; `none` if it was refused before, or has no route. */
export const routeOf = (req: Request): string => req.route?.path ?? 'none';
