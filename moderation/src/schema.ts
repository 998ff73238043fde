// The tables of moderation.
import { outboxSchema } from '@blog/common/core/outbox.ts';
import { checkpointSchema, readinessSchema } from '@blog/common/core/subscriber.ts';

/** A verdict is made once. `event` is the event that announced it: whenever the comment is seen again, so is that. */
const verdicts = `
  CREATE TABLE verdicts (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    status TEXT NOT NULL,
    event TEXT NOT NULL
  ) STRICT;
`;

/**
 * The comments that wait for a verdict: `event` is the one that announced the comment. `logged` is 0 while a verdict has not
 * come back from the log, where another copy's may stand before it; older verdicts were made by the only copy.
 */
const notes = `
  ALTER TABLE verdicts ADD COLUMN logged INTEGER NOT NULL DEFAULT 1;
  CREATE TABLE notes (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    number INTEGER NOT NULL,
    event TEXT NOT NULL,
    notedAt REAL NOT NULL DEFAULT (unixepoch('subsec'))
  ) STRICT;
`;

/** Append only: databases out there have run the first ones. */
export const migrations = [verdicts + outboxSchema + checkpointSchema, notes, readinessSchema];
