// The settings of the client's part.

import { busUrlSettings, httpUrl, localDefault, serverSettings } from '@blog/common/run/config.ts';
import { z } from 'zod';

/** The settings, from the environment. */
export const settingsSchema = z.object({
  ...serverSettings(3000),
  ...busUrlSettings,
  POSTS_URL: localDefault(httpUrl, 'http://localhost:4000'),
  COMMENTS_URL: localDefault(httpUrl, 'http://localhost:4001'),
  QUERY_URL: localDefault(httpUrl, 'http://localhost:4002'),
  MODERATION_URL: localDefault(httpUrl, 'http://localhost:4003'),
  /** Allows the page to control the bus. */
  CONTROL: z.enum(['on', 'off']).default('off'),
});
