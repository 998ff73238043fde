// The moderation service: it has no routes of its own, only the relay of its outbox, its subscription, and the loop that judges.
import type { Verdict } from '@blog/common/core/events.ts';
import { prepareReplay } from '@blog/common/core/outbox.ts';
import { Relay } from '@blog/common/core/relay.ts';
import { Subscriber } from '@blog/common/core/subscriber.ts';
import { wholeNumber } from '@blog/common/http/input.ts';
import { busSettings } from '@blog/common/run/config.ts';
import { defineService } from '@blog/common/run/service.ts';
import { z } from 'zod';
import { Judging } from './judging.ts';
import { createHandlers, isIn, normalize } from './moderation.ts';
import { migrations } from './schema.ts';

/** `BANNED_WORDS`: separated by commas. */
const bannedWords = z
  .string()
  .default('orange')
  .transform((list) => list.split(',').map((word) => normalize(word.trim())))
  .refine((words) => words.every((word) => word !== ''), 'must be words, separated by commas');

export const moderation = defineService({
  name: 'moderation',
  settings: z.object({
    ...busSettings,
    BANNED_WORDS: bannedWords,
    /** The time that a verdict takes, in milliseconds: it stands for a call to some model. */
    MODERATION_DELAY_MS: wholeNumber(0, 600_000).default(0),
    /** The maximum of comments that one copy judges at once. */
    MODERATION_CONCURRENCY: wholeNumber(1, 1_000).default(8),
  }),
  migrations,
  create(context) {
    const { db, metrics, settings } = context;
    const { BANNED_WORDS: bannedWords, MODERATION_DELAY_MS: time, MODERATION_CONCURRENCY: concurrency } = settings;
    const verdicts = metrics.counter('moderation_verdicts_total', 'Verdicts made.', 'status', ['approved', 'rejected']);
    const count = (status: Verdict | undefined) => status && verdicts.inc({ status });
    // A verdict that takes no time needs no note: it is made in the transaction of the push.
    const handlers = createHandlers(bannedWords, (id) => time === 0 && isIn(subscriber.share, id));
    const relay = new Relay({ ...context, handlers });
    const subscriber: Subscriber<Verdict | undefined> = new Subscriber({
      ...context,
      handlers,
      // The verdicts are published again with the comments that a replay brings.
      onReplay: prepareReplay,
      onApplied: (_events, made) => made.forEach(count),
    });
    const share = () => subscriber.share;
    const judging = new Judging({ db, bannedWords, time, concurrency, share, onVerdict: count });
    const waiting = async () => (await judging.waiting()).comments;
    metrics.gauge('moderation_waiting_comments', 'Comments that wait for a verdict.', waiting);
    return { routes: [], relay, subscriber, loops: [judging] };
  },
});
