import cors from 'cors';
import express, { type Express, type RequestHandler, type Router } from 'express';
import { z } from 'zod';
import release from '../package.json' with { type: 'json' };
import type { Database } from './database.ts';
import type { Log } from './log.ts';
import type { Loop } from './loop.ts';
import { notFound, onlyMethods, problemHandler, unavailable } from './problem.ts';

/** `CORS_ORIGINS`: the origins that may call from a browser, separated by commas or `*`; loopback unless set. */
export const corsSettings = {
  CORS_ORIGINS: z
    .string()
    .transform((list) => list.split(',').map((origin) => origin.trim()))
    .optional(),
};

const LOOPBACK = /^https?:\/\/(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/;

/** What a page on another origin may call: it reads every header that the protocol uses. */
export const crossOrigin = (origins: string[] | undefined): RequestHandler =>
  cors({
    origin: origins?.includes('*') ? '*' : (origins ?? LOOPBACK),
    exposedHeaders: ['Link', 'Location', 'Retry-After', 'Stream-Position'],
  });

type Part = { db: Database; log: Log; routes: (RequestHandler | Router)[]; loops: Loop[] };

/** The frame of every server: health, its routes, problem details for everything else. */
export function createApp({ db, log, routes, loops }: Part): Express {
  const app = express();
  app.disable('x-powered-by').disable('etag');

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
  app.all(['/healthz', '/readyz'], onlyMethods('GET'));

  app.use(...routes);
  app.use(notFound);
  app.use(problemHandler(log));
  return app;
}
