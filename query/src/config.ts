import { corsSettings } from '@blog/common/http/access.ts';
import { busSettings, databaseSettings, serverSettings } from '@blog/common/run/config.ts';
import { PORTS } from '@blog/common/run/parts.ts';
import { z } from 'zod';

export const configSchema = z.object({
  ...serverSettings(PORTS.query),
  ...databaseSettings,
  ...busSettings,
  ...corsSettings,
});
