// The tables of comments.
import { outboxSchema } from '@blog/common/core/outbox.ts';
import { checkpointSchema, readinessSchema } from '@blog/common/core/progress.ts';

/**
 * `event` is the event that announced the comment, as published: a replay puts it into the outbox again. It is missing
 * while only a verdict has arrived. `idempotency_key` is only read: it is that of a comment which is older than ids from
 * keys (comments.ts). `posts` holds the posts that were heard of.
 */
const comments = `
  CREATE TABLE comments (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    post_id TEXT NOT NULL,
    content TEXT,
    status TEXT NOT NULL DEFAULT 'pending',
    created_at TEXT,
    idempotency_key TEXT UNIQUE,
    event TEXT
  ) STRICT;
  CREATE INDEX comments_of_post ON comments (post_id, seq);
  CREATE TABLE posts (id TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
`;

/** The columns have the names of the fields that they hold. */
const namedAsFields = `
  ALTER TABLE comments RENAME COLUMN post_id TO postId;
  ALTER TABLE comments RENAME COLUMN created_at TO createdAt;
  ALTER TABLE comments RENAME COLUMN idempotency_key TO idempotencyKey;
`;

/** The author as JSON: `{"id", "name"}`; NULL where there was no sign-in. */
const withAuthor = 'ALTER TABLE comments ADD COLUMN author TEXT;';

/** Append only: databases out there have run the first ones. */
export const migrations = [comments + outboxSchema + checkpointSchema, namedAsFields, readinessSchema, withAuthor];
