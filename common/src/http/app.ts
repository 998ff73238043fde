import type { EventEmitter } from 'node:events';
import { readFileSync } from 'node:fs';
import express, { type Express, type RequestHandler, type Router } from 'express';
import release from '../../package.json' with { type: 'json' };
import type { Database } from '../core/database.ts';
import type { Loop } from '../core/loop.ts';
import type { Log } from '../observe/log.ts';
import type { Metrics } from '../observe/metrics.ts';
import { followRequests } from '../observe/requests.ts';
import { crossOrigin, type Origins, onlyAsLocalhost, onlyWritesOf } from './access.ts';
import { notFound, onlyMethods, problemHandler, unavailable } from './problem.ts';

type Part = {
  /** The file that describes the routes; served as it is. */
  openapi: URL;
  db: Database;
  log: Log;
  metrics: Metrics;
  routes: (RequestHandler | Router)[];
  loops: Loop[];
  /** The pages that may call from a browser; none unless given. */
  origins?: Origins;
};

const UNREADABLE = 'The database cannot be read.';

/** The frame of every server: who may call, health, its routes, problem details for everything else. */
export function createApp({ openapi, db, log, metrics, routes, loops, origins }: Part): Express {
  const app = express();
  app.disable('x-powered-by').disable('etag');
  app.use((req, res, next) => {
    metrics.measure(req, res);
    next();
  });
  (app as EventEmitter).on('refused', metrics.measure);
  const following = followRequests(log);
  if (following) app.use(following);
  app.use(onlyAsLocalhost);

  const degraded = async () => {
    const troubles = await Promise.all(loops.map((loop) => loop.degraded().catch(() => [UNREADABLE])));
    return [db.damage, db.trouble, ...troubles.flat()].filter(Boolean);
  };
  metrics.gauges({ part_degraded: 'How many reasons `/readyz` names.' }, async () => ({
    part_degraded: (await degraded()).length,
  }));

  app.get('/healthz', (_req, res) => void res.json({ status: 'ok', version: release.version }));
  app.get('/readyz', async (_req, res) => {
    try {
      await db.read((tx) => tx.get('SELECT count(*) FROM sqlite_schema'));
    } catch {
      throw unavailable(UNREADABLE);
    }
    if (db.trouble) await db.probe();
    res.json({ status: 'ready', degraded: await degraded() });
  });
  app.get('/metrics', async (_req, res) => {
    res.type(metrics.contentType).send(await metrics.text());
  });
  const contract = readFileSync(openapi);
  app.get('/openapi.yaml', (_req, res) => void res.type('application/yaml').send(contract));
  app.all(['/healthz', '/readyz', '/metrics', '/openapi.yaml'], onlyMethods('GET'));

  if (origins) app.use(crossOrigin(origins));
  app.use(onlyWritesOf(origins));
  app.use(...routes);
  app.use(notFound);
  app.use(problemHandler(log));
  return app;
}
