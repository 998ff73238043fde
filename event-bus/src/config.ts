import { tokenSettings } from '@blog/common/http/access.ts';
import { wholeNumber } from '@blog/common/http/input.ts';
import { databaseSettings, localDefault, serverSettings, subscriptionList } from '@blog/common/run/config.ts';
import { z } from 'zod';

/** `SUBSCRIPTIONS`: who gets the events; never taken from a request. */
const SUBSCRIPTIONS = [
  'posts=http://localhost:4000/events',
  'comments=http://localhost:4001/events',
  'query=http://localhost:4002/events',
  'moderation=http://localhost:4003/events',
].join(',');

export const configSchema = z.object({
  ...serverSettings(4005),
  ...databaseSettings,
  ...tokenSettings,
  SUBSCRIPTIONS: localDefault(z.string(), SUBSCRIPTIONS).pipe(subscriptionList),
  /** How long a subscriber may take to answer, in milliseconds. */
  DELIVERY_TIMEOUT_MS: wholeNumber(100, 600_000).default(10_000),
});
