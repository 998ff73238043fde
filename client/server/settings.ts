import { busSettings, serverSettings } from '@blog/common/config.ts';
import { z } from 'zod';

const url = (fallback: string) =>
  z.url({ protocol: /^https?$/, error: 'must be an http:// or https:// address' }).default(fallback);

/** The settings of the part, from the environment. */
export const settingsSchema = z.object({
  ...serverSettings(3000),
  ...busSettings,
  POSTS_URL: url('http://127.0.0.1:4000'),
  COMMENTS_URL: url('http://127.0.0.1:4001'),
  QUERY_URL: url('http://127.0.0.1:4002'),
  MODERATION_URL: url('http://127.0.0.1:4003'),
  /** Whether the bus may be controlled from the page. */
  CONTROL: z.enum(['on', 'off']).default('off'),
});
