// The moderation service: it has no routes of its own, only the relay of its outbox and its subscription.
import { prepareReplay } from '@blog/common/core/outbox.ts';
import { Relay } from '@blog/common/core/relay.ts';
import { Subscriber } from '@blog/common/core/subscriber.ts';
import { busSettings } from '@blog/common/run/config.ts';
import { defineService } from '@blog/common/run/service.ts';
import { z } from 'zod';
import { createHandlers, normalize } from './moderation.ts';
import { migrations } from './schema.ts';

/** `BANNED_WORDS`: separated by commas. */
const bannedWords = z
  .string()
  .default('orange')
  .transform((list) => list.split(',').map((word) => normalize(word.trim())))
  .refine((words) => words.every((word) => word !== ''), 'must be words, separated by commas');

export const moderation = defineService({
  name: 'moderation',
  settings: z.object({ ...busSettings, BANNED_WORDS: bannedWords }),
  migrations,
  create(context) {
    const { metrics, settings } = context;
    const verdicts = metrics.counter('moderation_verdicts_total', 'Verdicts made.', 'status', ['approved', 'rejected']);
    const relay = new Relay(context);
    const subscriber = new Subscriber({
      ...context,
      handlers: createHandlers(settings.BANNED_WORDS),
      // The verdicts are published again with the comments that a replay brings.
      onReplay: prepareReplay,
      onApplied: (_events, made) => {
        for (const status of made) if (status) verdicts.inc({ status });
      },
    });
    return { routes: [], relay, subscriber };
  },
});
