import { corsSettings } from '@blog/common/http/access.ts';
import { busSettings, databaseSettings, serverSettings } from '@blog/common/run/config.ts';
import { z } from 'zod';

export const configSchema = z.object({ ...serverSettings(4000), ...databaseSettings, ...busSettings, ...corsSettings });
