// The event bus: the log and its routes, one delivery loop a subscription, and the commands of a person.
import { wholeNumber } from '@blog/common/http/input.ts';
import { Streams } from '@blog/common/http/streams.ts';
import { copyName, localDefault } from '@blog/common/run/config.ts';
import { localUrl, SERVICES } from '@blog/common/run/parts.ts';
import { defineService } from '@blog/common/run/service.ts';
import { z } from 'zod';
import { Arrivals } from './arrivals.ts';
import { controlRoutes } from './control-routes.ts';
import { subscriptionList } from './copies.ts';
import { Integrity } from './integrity.ts';
import { logRoutes } from './log-routes.ts';
import { addMetrics } from './metrics.ts';
import { migrations } from './schema.ts';
import { type Dns, Subscriptions } from './subscriptions.ts';
import { Tail } from './tail.ts';

const LOCAL = SERVICES.map((name) => `${name}=${localUrl(name)}/events`).join();

/** Without a quorum a second copy would have a log of its own, which nothing joins with the first one's: it does not start. */
const onlyCopy = copyName.refine((name) => !/-[1-9]\d*$/.test(name), {
  error: ({ input }) =>
    `${input} is a second copy of event-bus, and has no NATS_URL: its log would be another one. Set it (docs/scaling.md), or run one copy: kubectl -n blog scale statefulset/event-bus --replicas=1`,
});

/** The bus; tests hand in another `dns`. */
export const createBus = (dns?: Dns) =>
  defineService({
    name: 'event-bus',
    settings: z.object({
      COPY_NAME: onlyCopy.optional(),
      SUBSCRIPTIONS: localDefault(z.string(), LOCAL).pipe(subscriptionList),
      /** The maximum time in which a subscriber answers, in milliseconds. */
      DELIVERY_TIMEOUT_MS: wholeNumber(100, 600_000).default(10_000),
    }),
    migrations,
    create(context) {
      const { db, observer, metrics, settings } = context;
      const arrivals = new Arrivals();
      const tail = new Tail();
      const shared = { db, observer, tail, arrivals, token: context.bus.token, deadline: settings.DELIVERY_TIMEOUT_MS };
      const subscriptions = new Subscriptions(shared, settings.SUBSCRIPTIONS, dns);
      const streams = new Streams(db);
      const integrity = new Integrity(db, observer.log);
      addMetrics(metrics, db, subscriptions);
      const routes = [
        logRoutes({ ...shared, subscriptions, streams, integrity }),
        controlRoutes({ ...shared, subscriptions }),
      ];
      return { routes, loops: [subscriptions], streams, checks: [integrity] };
    },
  });

export const eventBus = createBus();
