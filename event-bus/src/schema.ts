// The tables of the bus: the log, the subscriptions, the dead letters.
import { randomUUID } from 'node:crypto';
import { chain } from './log.ts';

const id = randomUUID();

/**
 * The log: nothing in `events` ever changes. `log` names this log and holds the checksum at position 0.
 * `subscriptions.position` is a cache for subscribers that keep a checkpoint, and the truth for those that do not.
 */
const log = `
  CREATE TABLE log (id TEXT NOT NULL, checksum TEXT NOT NULL) STRICT;
  INSERT INTO log VALUES ('${id}', '${chain('', id)}');
  CREATE TABLE events (
    position INTEGER PRIMARY KEY,
    source TEXT NOT NULL,
    id TEXT NOT NULL,
    type TEXT NOT NULL,
    subject TEXT,
    record TEXT NOT NULL,
    checksum TEXT NOT NULL,
    UNIQUE (source, id)
  ) STRICT;
  CREATE INDEX events_of_subject ON events (subject, position);
  CREATE TABLE subscriptions (
    name TEXT PRIMARY KEY,
    position INTEGER NOT NULL DEFAULT 0,
    paused INTEGER NOT NULL DEFAULT 0,
    replay_id TEXT,
    replay_from INTEGER
  ) STRICT;
  CREATE TABLE dead_letters (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    subscription TEXT NOT NULL,
    position INTEGER NOT NULL,
    reason TEXT NOT NULL,
    parked_at TEXT NOT NULL,
    UNIQUE (subscription, position)
  ) STRICT;
`;

/**
 * For a log on a quorum (quorum/): the last message of the stream that is here, with the position behind it; and when each copy of
 * the bus began to lead.
 */
const quorum = `
  CREATE TABLE sealed (seq INTEGER NOT NULL, position INTEGER NOT NULL) STRICT;
  INSERT INTO sealed VALUES (0, 0);
  CREATE TABLE leaders (name TEXT PRIMARY KEY, since TEXT NOT NULL) STRICT;
`;

export const migrations = [log, quorum];
