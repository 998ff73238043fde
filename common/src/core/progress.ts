// The progress of a service: its checkpoint, in its own database, and whether it has caught up with the log.
import { type Checkpoint, NEW, type Progress, positionOf } from './checkpoint.ts';
import type { Tx } from './sqlite.ts';

/** The checkpoint of this service, in its own database: it moves in the transaction of the effects. */
export const checkpointSchema = `
  CREATE TABLE stand (checkpoint TEXT NOT NULL, replay TEXT) STRICT;
  INSERT INTO stand VALUES ('${NEW}', NULL);
`;

/** A migration: true if this database once stood at the head of the log. One that has a checkpoint counts as one that did. */
export const readinessSchema = `
  ALTER TABLE stand ADD COLUMN caughtUp INTEGER NOT NULL DEFAULT 0;
  UPDATE stand SET caughtUp = 1 WHERE checkpoint <> '${NEW}';
`;

/** True if a batch that begins behind `after` continues from this checkpoint. */
export const joins = (checkpoint: Checkpoint, after: Checkpoint) =>
  checkpoint === after || (checkpoint === NEW && positionOf(after) === 0);

export const readStand = (tx: Tx) =>
  tx.get<{ checkpoint: Checkpoint; caughtUp: number }>('SELECT checkpoint, caughtUp FROM stand') ?? {
    checkpoint: NEW,
    caughtUp: 0,
  };

export const readProgress = (tx: Tx): Progress =>
  tx.get<Progress>('SELECT checkpoint, replay FROM stand') ?? { checkpoint: NEW, replay: null };

export const moveTo = (tx: Tx, { checkpoint, replay }: Progress, isHead: boolean) =>
  tx.run(
    'UPDATE stand SET checkpoint = ?, replay = ?, caughtUp = max(caughtUp, ?)',
    checkpoint,
    replay ?? null,
    Number(isHead),
  );

export const noteCaughtUp = (tx: Tx) => tx.run('UPDATE stand SET caughtUp = 1');
