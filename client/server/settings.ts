// The settings of the client's part.

import { busSettings, httpUrl, localDefault, serverSettings } from '@blog/common/run/config.ts';
import { localUrl, PORTS } from '@blog/common/run/parts.ts';
import { z } from 'zod';

/** The settings, from the environment. */
export const settingsSchema = z.object({
  ...serverSettings(PORTS.client),
  ...busSettings,
  POSTS_URL: localDefault(httpUrl, localUrl('posts')),
  COMMENTS_URL: localDefault(httpUrl, localUrl('comments')),
  QUERY_URL: localDefault(httpUrl, localUrl('query')),
  MODERATION_URL: localDefault(httpUrl, localUrl('moderation')),
  /** Allows the page to control the bus. */
  CONTROL: z.enum(['on', 'off']).default('off'),
});
