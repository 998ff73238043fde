// The event bus: the log and its routes, one delivery loop a subscription, and the commands of a person.
import { wholeNumber } from '@blog/common/http/input.ts';
import { Streams } from '@blog/common/http/streams.ts';
import { copyName, httpUrl, localDefault } from '@blog/common/run/config.ts';
import { localUrl, SERVICES } from '@blog/common/run/parts.ts';
import { defineService } from '@blog/common/run/service.ts';
import { z } from 'zod';
import { Arrivals } from './arrivals.ts';
import { controlRoutes } from './control-routes.ts';
import { Integrity } from './integrity.ts';
import { logRoutes } from './log-routes.ts';
import { addMetrics } from './metrics.ts';
import { migrations } from './schema.ts';
import { Subscriptions } from './subscriptions.ts';
import { Tail } from './tail.ts';

const LOCAL = SERVICES.map((name) => `${name}=${localUrl(name)}/events`).join();

/** `SUBSCRIPTIONS`: `name=url,name=url`, never taken from a request; names are unique. */
export const subscriptionList = z.string().transform((text, context) => {
  const list = text.split(',').map((entry) => {
    const at = entry.indexOf('=');
    return { name: entry.slice(0, at).trim(), url: entry.slice(at + 1).trim() };
  });
  const valid = list.every(({ name, url }) => /^[\w.-]{1,50}$/.test(name) && httpUrl.safeParse(url).success);
  if (valid && new Set(list.map(({ name }) => name)).size === list.length) return list;
  context.addIssue({ code: 'custom', message: 'must be name=url,name=url with names that differ and http addresses' });
  return z.NEVER;
});

/** A second copy would have a log of its own, which nothing joins with the first one's: it does not start. */
const onlyCopy = copyName.refine((name) => !/-[1-9]\d*$/.test(name), {
  error: ({ input }) =>
    `${input} is a second copy of event-bus, whose log would be another one. Run one: kubectl -n blog scale statefulset/event-bus --replicas=1`,
});

export const eventBus = defineService({
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
    const subscriptions = new Subscriptions(shared, settings.SUBSCRIPTIONS);
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
