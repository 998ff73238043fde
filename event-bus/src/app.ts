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
import { createCopy } from './quorum/copy.ts';
import { assertCopies, quorumSettings } from './quorum/settings.ts';
import { migrations } from './schema.ts';
import { type Dns, Subscriptions } from './subscriptions.ts';
import { Tail } from './tail.ts';

const LOCAL = SERVICES.map((name) => `${name}=${localUrl(name)}/events`).join();

/** The bus; tests hand in another `dns`. */
export const createBus = (dns?: Dns) =>
  defineService({
    name: 'event-bus',
    settings: z
      .object({
        COPY_NAME: copyName.optional(),
        SUBSCRIPTIONS: localDefault(z.string(), LOCAL).pipe(subscriptionList),
        /** The maximum time in which a subscriber answers, in milliseconds. */
        DELIVERY_TIMEOUT_MS: wholeNumber(100, 600_000).default(10_000),
        ...quorumSettings,
      })
      .superRefine(assertCopies),
    migrations,
    create(context) {
      const { db, observer, metrics, settings } = context;
      const arrivals = new Arrivals();
      const tail = new Tail();
      const given = { token: context.bus.token, deadline: settings.DELIVERY_TIMEOUT_MS };
      const leads = (): boolean => copy?.leadership.leads ?? true;
      const shared = { leads, db, observer, tail, arrivals, ...given };
      const subscriptions = new Subscriptions(shared, settings.SUBSCRIPTIONS, dns);
      const copy = createCopy({ ...context, tail, work: subscriptions });
      const streams = new Streams(db);
      const integrity = new Integrity(db, observer.log);
      addMetrics(metrics, db, subscriptions);
      const routes = [
        logRoutes({ ...shared, subscriptions, streams, integrity }),
        controlRoutes({ ...shared, subscriptions }),
      ];
      if (!copy) return { routes, loops: [subscriptions], streams, checks: [integrity] };
      const { leadership, quorum } = copy;
      const checks = [integrity, subscriptions, quorum];
      return { routes: [copy.routes, ...routes], loops: [leadership], streams, checks };
    },
  });

export const eventBus = createBus();
