// The tables of moderation.
import { outboxSchema } from '@blog/common/core/outbox.ts';
import { checkpointSchema } from '@blog/common/core/subscriber.ts';

/** A verdict is made once. `event` is the event that announced it: whenever the comment is seen again, so is that. */
const verdicts = `
  CREATE TABLE verdicts (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    status TEXT NOT NULL,
    event TEXT NOT NULL
  ) STRICT;
`;

export const migrations = [verdicts + outboxSchema + checkpointSchema];
