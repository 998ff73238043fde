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

export const readProgress = (tx: Tx) => tx.get('SELECT checkpoint, replay FROM stand') as Progress;

export const hasCaughtUp = (tx: Tx): boolean => tx.get('SELECT 1 FROM stand WHERE caughtUp = 1') !== undefined;

export function moveTo(tx: Tx, { checkpoint, replay = null }: Progress, isHead: boolean): void {
  const sql = 'UPDATE stand SET checkpoint = ?, replay = ?, caughtUp = max(caughtUp, ?)';
  tx.run(sql, checkpoint, replay, Number(isHead));
}

export const noteCaughtUp = (tx: Tx) => tx.run('UPDATE stand SET caughtUp = 1');
