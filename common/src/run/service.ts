// One call makes a server: settings, log, traces, database, then its routes and loops, until it is told to stop.
import type { Tracer } from '@opentelemetry/api';
import type { Router } from 'express';
import { z } from 'zod';
import type { Database } from '../core/database.ts';
import type { Bus } from '../core/exchange.ts';
import type { Loop } from '../core/loop.ts';
import type { Observer } from '../core/observer.ts';
import type { Relay } from '../core/relay.ts';
import type { Receiver } from '../core/subscriber.ts';
import { isLoopback, type Origins } from '../http/access.ts';
import { createApp, type Degradable, degradedBy, eventRoutes } from '../http/app.ts';
import { createHttpServer } from '../http/limits.ts';
import type { Streams } from '../http/streams.ts';
import { createLog, type Log } from '../observe/log.ts';
import { Metrics } from '../observe/metrics.ts';
import { createObserver, failpoints, watchRequests } from '../observe/observer.ts';
import { copyName, databaseSettings, parseConfig, serverSettings } from './config.ts';
import { openData } from './data.ts';
import { ALL_PORTS, type Server } from './parts.ts';
import { endOnSignal, listen } from './server.ts';

/** The settings that the frame itself uses, where a service has them. */
type CommonSettings = {
  COPY_NAME?: string;
  EVENT_BUS_URL?: string;
  BUS_TOKEN?: string;
  CORS_ORIGINS?: Origins;
  FAILPOINT?: string;
};

/** Everything that a service is made from. */
export type Context<Settings = unknown> = {
  db: Database;
  bus: Bus;
  observer: Observer;
  metrics: Metrics;
  settings: Settings;
};

/** The parts of a service: its routes, and what goes on beside them. */
type Parts = {
  routes: Router[];
  relay?: Relay;
  subscriber?: Receiver;
  loops?: Loop[];
  /** More that may be degraded, besides the loops. */
  checks?: Degradable[];
  streams?: Streams;
  /** Answers that are held open, until something happens or this ends them. */
  held?: { end(): void };
};

export type Service<Settings> = {
  name: Server | 'auth';
  /** The schema of its settings, besides those of every server. */
  settings: z.ZodType<Settings>;
  migrations: readonly string[];
  create(context: Context<Settings>): Parts;
};

/** Names the types of a service, so that `create` knows its settings. */
export const defineService = <Settings>(service: Service<Settings>) => service;

/** The schema of all settings of a service. */
export const settingsOf = <Settings>({ name, settings }: Service<Settings>) =>
  z
    .object({
      ...serverSettings(ALL_PORTS[name]),
      ...databaseSettings,
      COPY_NAME: copyName.default(name),
      FAILPOINT: z.enum(failpoints).optional(),
    })
    .and(settings);

type Given<Settings> = { db: Database; log: Log; settings: Settings & CommonSettings; tracer?: Tracer };

/** Makes the app and the loops of a service; nothing runs yet. */
export function createService<Settings>({ name, create }: Service<Settings>, given: Given<Settings>) {
  const { db, log, settings, tracer } = given;
  const { EVENT_BUS_URL: url = '', BUS_TOKEN: token, COPY_NAME: publisher = name } = settings;
  const { CORS_ORIGINS: origins, FAILPOINT: failpoint } = settings;
  const metrics = new Metrics(db);
  const observer = createObserver({ log, metrics, tracer, failpoint });
  const parts = create({ db, bus: { url, token, publisher }, observer, metrics, settings });
  const { routes, relay, subscriber, streams } = parts;
  const loops = [relay, subscriber, ...(parts.loops ?? [])].filter((loop) => loop !== undefined);
  const checks = [...(parts.checks ?? []), ...loops];
  const reasons = async () => (await degradedBy(db, checks)).length;
  metrics.gauge('part_degraded', 'The number of reasons in `/readyz`.', reasons);
  metrics.count('log_errors_total', 'Log lines at level `error` or `fatal`.', log.errors);
  if (streams) metrics.gauge('stream_readers', 'Readers of the stream.', () => streams.readers);
  if (relay) observeRelay(metrics, relay);
  if (subscriber) {
    metrics.countStep('applied', subscriber.handles);
    routes.push(eventRoutes(subscriber, token));
  }
  const openapi = new URL(`../../../${name}/openapi.yaml`, import.meta.url);
  const watch = watchRequests({ log, metrics, tracer });
  const app = createApp({ openapi, db, log, watch, metrics, routes, checks, origins });
  return { app, loops, held: [streams, parts.held, relay?.acknowledgements].filter((held) => held !== undefined) };
}

function observeRelay(metrics: Metrics, relay: Relay): void {
  metrics.countStep('sent');
  const gauge = (name: string, help: string, key: keyof Awaited<ReturnType<Relay['depth']>>) =>
    metrics.gauge(name, help, async () => (await relay.depth())[key]);
  gauge('outbox_events', 'Events that wait to be published.', 'events');
  gauge('outbox_oldest_seconds', 'The age of the first of them; 0 if there is none.', 'oldestSeconds');
  gauge('outbox_refused_events', 'Events that the bus refused, kept for a person to look at.', 'refused');
}

/** The time that requests in flight have to finish at the end, in milliseconds. */
const GRACE = 2_000;
/** The maximum time of the shutdown, in milliseconds, and the part of it for the last spans. */
export const LONGEST_END = 3_900;
const LAST_SPANS = 1_000;

/**
 * Runs a service until SIGTERM or SIGINT. Graceful shutdown: stop accepting, end what is held open, let requests in flight be
 * answered, then let the loops finish (the outbox goes to the bus if it is there), close the database, exit 0.
 */
export async function startService<Settings>(service: Service<Settings>): Promise<void> {
  const settings = parseConfig(settingsOf(service));
  const { HOST: host, PORT: port } = settings;
  const log = createLog(service.name, settings.LOG_LEVEL);
  const { OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT } = settings;
  const isTraced = OTEL_EXPORTER_OTLP_ENDPOINT ?? OTEL_EXPORTER_OTLP_TRACES_ENDPOINT;
  const tracing = isTraced
    ? (await import('../observe/otel.ts')).createTracing(service.name, settings, log)
    : undefined;
  const db = openData(settings.DATA_DIR, service.name, service.migrations);
  const { app, loops, held } = createService(service, { db, log, settings, tracer: tracing?.tracer });
  if (isLoopback(host)) app.set('allowed hosts', settings.ALLOWED_HOSTS);
  const close = listen(createHttpServer(app), host, port, () => {
    log.info({ url: `http://${host}:${port}`, pid: process.pid }, 'listening');
    for (const loop of loops) loop.start();
  });
  endOnSignal(log, async () => {
    const until = performance.now() + LONGEST_END;
    setTimeout(() => process.exit(1), LONGEST_END).unref();
    for (const open of held) open.end();
    await close(GRACE);
    await Promise.all(loops.map((loop) => loop.stop()));
    await db.close();
    await tracing?.end(Math.min(LAST_SPANS, until - performance.now() - 100));
  });
}
