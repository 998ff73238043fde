import type { Database } from '@blog/common/core/database.ts';
import { onlyWithToken } from '@blog/common/http/access.ts';
import { createApp } from '@blog/common/http/app.ts';
import { Streams } from '@blog/common/http/streams.ts';
import type { Log } from '@blog/common/observe/log.ts';
import { Metrics } from '@blog/common/observe/metrics.ts';
import { controlRoutes } from './control-routes.ts';
import { Deliveries } from './deliveries.ts';
import { Delivery } from './delivery.ts';
import { Integrity } from './integrity.ts';
import { logRoutes } from './log-routes.ts';
import { addGauges, createCounts } from './metrics.ts';
import { Tail } from './tail.ts';

const openapi = new URL('../openapi.yaml', import.meta.url);

type Options = {
  db: Database;
  log: Log;
  token?: string;
  subscriptions: { name: string; url: string }[];
  deadline: number;
};

/** The event bus: the log and its routes, one delivery loop per subscription, and what a person may do to them. */
export function createEventBus({ db, log, token, subscriptions, deadline }: Options) {
  const metrics = new Metrics(db);
  const counts = createCounts(
    metrics,
    subscriptions.map(({ name }) => name),
  );
  const tail = new Tail();
  const deliveries = new Deliveries();
  const shared = { db, log, token, deadline, tail, deliveries, counts };
  const loops = subscriptions.map(({ name, url }) => new Delivery({ ...shared, name, url }));
  addGauges(metrics, db, loops);
  const streams = new Streams(db, metrics);
  const integrity = new Integrity(db, log);
  const routes = [
    onlyWithToken(token),
    logRoutes({ db, log, tail, loops, deliveries, streams, integrity, counts }),
    controlRoutes({ db, loops }),
  ];
  const all = [integrity, ...loops];
  return { app: createApp({ openapi, db, log, metrics, routes, loops: all }), loops: all, streams };
}
