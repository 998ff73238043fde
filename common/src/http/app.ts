// The frame of every server: who may call, health, metrics, its routes, problem details for everything else; and the routes
// by which the bus reaches a service.
import type { EventEmitter } from 'node:events';
import { readFileSync } from 'node:fs';
import express, { type Express, type Request, type Response, Router } from 'express';
import release from '../../package.json' with { type: 'json' };
import { pushHeaders } from '../core/checkpoint.ts';
import type { Database } from '../core/database.ts';
import { BATCH, EVENT, PLAIN } from '../core/events.ts';
import type { Log } from '../core/observer.ts';
import { Problem, parse, unavailable } from '../core/problem.ts';
import type { Receiver } from '../core/subscriber.ts';
import { crossOrigin, type Origins, onlyAsLocalhost, onlyWithToken, onlyWritesOf } from './access.ts';
import { EVENTS_LIMIT, jsonBody } from './input.ts';
import { notFound, problemHandler, refuseOtherMethods } from './problem.ts';

/** Observes a request until its answer has left. Returns the traceparent that its effects are children of. */
type Watch = (req: Request, res: Response) => string | undefined;

/** Something that may work less well than it should, and says why. */
export type Degradable = {
  degraded(): Promise<string[]>;
  /** The reason for which the part is not ready: requests should not come here yet. */
  unready?(): string | undefined | Promise<string | undefined>;
  /** More members of `/readyz`. */
  details?(): Promise<object>;
};

type Options = {
  /** The file that describes the routes; served as it is. */
  openapi: URL;
  db: Database;
  log: Log;
  watch: Watch;
  metrics: { contentType: string; metrics(): Promise<string> };
  routes: Router[];
  checks: Degradable[];
  /** The pages that may call from a browser; none unless given. */
  origins?: Origins;
};

const UNREADABLE = 'The database cannot be read.';

/** The reasons for which a part works less well than it should, for `/readyz`. */
export async function degradedBy(db: Database, checks: Degradable[]): Promise<string[]> {
  const troubles = await Promise.all(checks.map((check) => check.degraded().catch(() => [UNREADABLE])));
  return [db.health.damage, db.health.trouble, ...troubles.flat()].filter((reason) => reason !== undefined);
}

export function createApp({ openapi, db, log, watch, metrics, routes, checks, origins }: Options): Express {
  const app = express();
  app.disable('x-powered-by').disable('etag');
  app.use((req, res, next) => {
    res.locals.traceparent = watch(req, res);
    next();
  });
  (app as EventEmitter).on('refused', watch);
  app.use(onlyAsLocalhost);

  const own = Router();
  own.get('/healthz', (_req, res) => void res.json({ status: 'ok', version: release.version }));
  own.get('/readyz', async (_req, res) => {
    try {
      await db.read((tx) => tx.get('SELECT count(*) FROM sqlite_schema'));
    } catch {
      throw unavailable(UNREADABLE);
    }
    if (db.health.trouble) await db.probe();
    const degraded = await degradedBy(db, checks);
    for (const check of checks) {
      const why = await check.unready?.();
      if (why) throw new Problem(503, why, { retryAfter: 1, degraded });
    }
    const details = await Promise.all(checks.map((check) => check.details?.()));
    res.json({ status: 'ready', degraded, ...Object.assign({}, ...details) });
  });
  own.get('/metrics', async (_req, res) => {
    res.type(metrics.contentType).send(await metrics.metrics());
  });
  const contract = readFileSync(openapi);
  own.get('/openapi.yaml', (_req, res) => void res.type('application/yaml').send(contract));
  for (const router of [own, ...routes]) refuseOtherMethods(router);
  app.use(own);

  if (origins) app.use(crossOrigin(origins));
  app.use(onlyWritesOf(origins));
  app.use(...routes);
  app.use(notFound);
  app.use(problemHandler(log));
  return app;
}

/** `POST /events` delivers, `GET /events` asks for the checkpoint. */
export function eventRoutes(subscriber: Receiver, token: string | undefined): Router {
  const routes = Router();
  routes.get('/events', async (req, res) => {
    res.json(await subscriber.progress(parse(pushHeaders, req.headers)));
  });
  routes.post('/events', onlyWithToken(token), jsonBody(EVENTS_LIMIT, PLAIN, EVENT, BATCH), async (req, res) => {
    const headers = parse(pushHeaders, req.headers);
    const { status, answer } = await subscriber.receive(req.body, headers, res.locals.traceparent);
    res.status(status).json(answer);
  });
  return routes;
}
