import { busSettings, databaseSettings, serverSettings } from '@blog/common/run/config.ts';
import { PORTS } from '@blog/common/run/parts.ts';
import { z } from 'zod';
import { normalize } from './moderation.ts';

/** `BANNED_WORDS`: separated by commas. */
const bannedWords = z
  .string()
  .default('orange')
  .transform((list) => list.split(',').map((word) => normalize(word.trim())))
  .refine((words) => words.every((word) => word !== ''), 'must be words, separated by commas');

export const configSchema = z.object({
  ...serverSettings(PORTS.moderation),
  ...databaseSettings,
  ...busSettings,
  BANNED_WORDS: bannedWords,
});
