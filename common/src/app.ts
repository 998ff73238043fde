import { readFileSync } from 'node:fs';
import express, { type Express, type RequestHandler, type Router } from 'express';
import release from '../package.json' with { type: 'json' };
import type { Database } from './database.ts';
import type { Log } from './log.ts';
import type { Loop } from './loop.ts';
import { crossOrigin, type Origins, onlyAsLocalhost, onlyWritesOf } from './origins.ts';
import { notFound, onlyMethods, problemHandler, unavailable } from './problem.ts';

type Part = {
  /** The file that describes the routes; served as it is. */
  openapi: URL;
  db: Database;
  log: Log;
  routes: (RequestHandler | Router)[];
  loops: Loop[];
  /** The pages that may call from a browser; none unless given. */
  origins?: Origins;
};

/** The frame of every server: who may call, health, its routes, problem details for everything else. */
export function createApp({ openapi, db, log, routes, loops, origins }: Part): Express {
  const app = express();
  app.disable('x-powered-by').disable('etag');
  app.use(onlyAsLocalhost);

  app.get('/healthz', (_req, res) => void res.json({ status: 'ok', version: release.version }));
  app.get('/readyz', async (_req, res) => {
    try {
      await db.read((tx) => tx.get('SELECT count(*) FROM sqlite_schema'));
    } catch {
      throw unavailable('The database cannot be read.');
    }
    if (db.trouble) await db.probe();
    const troubles = await Promise.all(loops.map((loop) => loop.degraded()));
    res.json({ status: 'ready', degraded: [db.damage, db.trouble, ...troubles.flat()].filter(Boolean) });
  });
  const contract = readFileSync(openapi);
  app.get('/openapi.yaml', (_req, res) => void res.type('application/yaml').send(contract));
  app.all(['/healthz', '/readyz', '/openapi.yaml'], onlyMethods('GET'));

  if (origins) app.use(crossOrigin(origins));
  app.use(onlyWritesOf(origins));
  app.use(...routes);
  app.use(notFound);
  app.use(problemHandler(log));
  return app;
}
