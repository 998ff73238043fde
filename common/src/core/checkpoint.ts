// Checkpoints: how far a subscriber has read one particular log.
import { z } from 'zod';

/**
 * A position in one particular history of the log: `<position>-<checksum>`. The checksum covers everything up to there, so
 * a log that was wiped or put back is told from the one that a subscriber knows, however long it has grown since.
 */
export type Checkpoint = string;

/** The checkpoint of a new subscriber: it joins any log at position 0. */
export const NEW: Checkpoint = '0';

export const checkpointText = z.string().regex(/^(0|\d{1,15}-[0-9a-f]{32})$/, 'must be a checkpoint');

export const positionOf = (checkpoint: Checkpoint): number => Number.parseInt(checkpoint, 10);

/** The answer of a checkpointed subscriber to every push and question: its checkpoint, and the last replay that it took. */
export const progressSchema = z.object({
  checkpoint: checkpointText,
  replay: z.string().nullish(),
  /** The types that it handles, when asked: the bus throttles pushes that have none of them. */
  handles: z.array(z.string()).max(100).optional(),
});
export type Progress = z.output<typeof progressSchema>;

/** The share of one copy of a service: it is the copy `index` (from 0) of `count`. */
export type Share = { index: number; count: number };

const shareText = z
  .string()
  .regex(/^\d{1,6}\/[1-9]\d{0,5}$/, 'must be index/count')
  .transform((text) => text.split('/').map(Number))
  .transform(([index = 0, count = 1]): Share => ({ index, count }));

/** The headers of a push: the checkpoints before and behind its events, the head of the log, a replay order, a share. */
export const pushHeaders = z.object({
  'event-after': checkpointText.optional(),
  'event-upto': checkpointText.optional(),
  'event-head': checkpointText.optional(),
  'event-replay': z.string().max(100).optional(),
  'event-share': shareText.optional(),
});
export type PushHeaders = z.output<typeof pushHeaders>;
