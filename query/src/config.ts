import { busSettings, databaseSettings, serverSettings } from '@blog/common/config.ts';
import { corsSettings } from '@blog/common/origins.ts';
import { z } from 'zod';

export const configSchema = z.object({ ...serverSettings(4002), ...databaseSettings, ...busSettings, ...corsSettings });
