// The tables of moderation.
import { outboxSchema } from '@blog/common/core/outbox.ts';
import { checkpointSchema, readinessSchema } from '@blog/common/core/progress.ts';

/** A verdict is made once. `event` is the event that announced it: whenever the comment is seen again, so is that. */
const verdicts = `
  CREATE TABLE verdicts (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    status TEXT NOT NULL,
    event TEXT NOT NULL
  ) STRICT;
`;

/** The comments that wait for a verdict: `event` is the one that announced the comment. */
const notes = `
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
