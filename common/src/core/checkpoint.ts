import { z } from 'zod';

/**
 * A place in one particular history of the log: `<position>-<checksum>`. The checksum covers everything up to there, so
 * a log that was wiped or put back is told from the one that a subscriber knows, however long it has grown since.
 */
export type Checkpoint = string;

/** Where a new subscriber stands: it takes any log's place at position 0. */
export const NEW: Checkpoint = '0';

export const checkpointText = z.string().regex(/^(0|\d{1,15}-[0-9a-f]{32})$/, 'must be a checkpoint');

export const positionOf = (checkpoint: Checkpoint): number => Number.parseInt(checkpoint, 10);

/** What a checkpointed subscriber answers to every push and question: where it stands, and the last replay it took. */
export const standSchema = z.object({
  checkpoint: checkpointText,
  replay: z.string().nullish(),
  /** Told when asked: the types of event that it wants at once. All others it gets with these, or a little later. */
  urgent: z.array(z.string()).max(100).optional(),
});
export type Stand = z.output<typeof standSchema>;
