import type { Database } from '@blog/common/core/database.ts';
import type { Bus } from '@blog/common/core/exchange.ts';
import { Relay, replayedFrom } from '@blog/common/core/outbox.ts';
import { Subscriber } from '@blog/common/core/subscriber.ts';
import { createApp } from '@blog/common/http/app.ts';
import type { Log } from '@blog/common/observe/log.ts';
import { Metrics } from '@blog/common/observe/metrics.ts';
import { createHandler } from './moderation.ts';

const openapi = new URL('../openapi.yaml', import.meta.url);

type Options = { db: Database; log: Log; bus: Bus; bannedWords: string[] };

/** The moderation service: it has no routes of its own, only its outbox's relay and its subscription. */
export function createModeration({ db, log, bus, bannedWords }: Options) {
  const metrics = new Metrics(db);
  const verdicts = metrics.counter('moderation_verdicts_total', 'Verdicts made.', 'status', ['approved', 'rejected']);
  const relay = new Relay({ db, bus, log, metrics });
  // Its verdicts come again with the comments that a replay brings, so an order only forgets what the bus had said.
  const subscriber = new Subscriber({
    db,
    bus,
    log,
    metrics,
    handles: ['CommentCreated', 'CommentModerated'],
    urgent: ['CommentCreated'],
    handle: createHandler(bannedWords),
    onOrder: replayedFrom,
    onApplied: (_events, made) => {
      for (const status of made) if (status) verdicts.inc({ status });
    },
  });
  const loops = [relay, subscriber];
  const app = createApp({ openapi, db, log, metrics, routes: [subscriber.routes], loops });
  return { app, loops };
}
