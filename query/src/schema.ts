// The tables of the read model.
import { randomUUID } from 'node:crypto';
import { checkpointSchema, readinessSchema } from '@blog/common/core/progress.ts';

/**
 * The read model. `model` names it (read-model.ts) and counts its changes; every row carries the revision of its last change,
 * so that a stream can go on behind any of them. A comment may be here before its post.
 */
const readModel = `
  CREATE TABLE model (id TEXT NOT NULL, revision INTEGER NOT NULL) STRICT;
  INSERT INTO model VALUES ('${randomUUID()}', 0);
  CREATE TABLE posts (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    title TEXT,
    created_at TEXT,
    comment_count INTEGER NOT NULL DEFAULT 0,
    revision INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX posts_changed ON posts (revision);
  CREATE TABLE comments (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    post_id TEXT NOT NULL,
    content TEXT,
    status TEXT NOT NULL DEFAULT 'pending',
    created_at TEXT,
    revision INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX comments_of_post ON comments (post_id, seq);
  CREATE INDEX comments_changed ON comments (revision);
`;

/** The columns have the names of the fields that they hold. */
const namedAsFields = `
  ALTER TABLE posts RENAME COLUMN created_at TO createdAt;
  ALTER TABLE posts RENAME COLUMN comment_count TO commentCount;
  ALTER TABLE comments RENAME COLUMN post_id TO postId;
  ALTER TABLE comments RENAME COLUMN created_at TO createdAt;
`;

/** The author as JSON: `{"id", "name"}`; NULL where there was no sign-in. */
const withAuthors = `
  ALTER TABLE posts ADD COLUMN author TEXT;
  ALTER TABLE comments ADD COLUMN author TEXT;
`;

/** Append only: databases out there have run the first ones. */
export const migrations = [readModel + checkpointSchema, namedAsFields, readinessSchema, withAuthors];
