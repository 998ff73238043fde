// The tables of posts.
import { outboxSchema } from '@blog/common/core/outbox.ts';
import { checkpointSchema, readinessSchema } from '@blog/common/core/progress.ts';

/**
 * `event` is the event that announced the post, as published: a replay puts it into the outbox again.
 * `idempotency_key` is only read: it is that of a post which is older than ids from keys (posts.ts).
 */
const posts = `
  CREATE TABLE posts (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    title TEXT,
    created_at TEXT,
    idempotency_key TEXT UNIQUE,
    event TEXT NOT NULL
  ) STRICT;
`;

/** The columns have the names of the fields that they hold. */
const namedAsFields = `
  ALTER TABLE posts RENAME COLUMN created_at TO createdAt;
  ALTER TABLE posts RENAME COLUMN idempotency_key TO idempotencyKey;
`;

/** The author as JSON: `{"id", "name"}`; NULL where there was no sign-in. */
const withAuthor = 'ALTER TABLE posts ADD COLUMN author TEXT;';

/** Append only: databases out there have run the first ones. */
export const migrations = [posts + outboxSchema + checkpointSchema, namedAsFields, readinessSchema, withAuthor];
