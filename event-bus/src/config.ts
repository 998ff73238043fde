import { tokenSettings } from '@blog/common/http/access.ts';
import { wholeNumber } from '@blog/common/http/input.ts';
import { databaseSettings, localDefault, serverSettings, subscriptionList } from '@blog/common/run/config.ts';
import { localUrl, PORTS, SERVICES } from '@blog/common/run/parts.ts';
import { z } from 'zod';

/** `SUBSCRIPTIONS`: who gets the events; never taken from a request. */
const SUBSCRIPTIONS = SERVICES.map((name) => `${name}=${localUrl(name)}/events`).join(',');

export const configSchema = z.object({
  ...serverSettings(PORTS['event-bus']),
  ...databaseSettings,
  ...tokenSettings,
  SUBSCRIPTIONS: localDefault(z.string(), SUBSCRIPTIONS).pipe(subscriptionList),
  /** How long a subscriber may take to answer, in milliseconds. */
  DELIVERY_TIMEOUT_MS: wholeNumber(100, 600_000).default(10_000),
});
