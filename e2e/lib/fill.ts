// Fills databases directly, while no part uses them: a history that would take hours over HTTP.
import { DatabaseSync } from 'node:sqlite';
import { openDatabase } from '../../common/src/core/database.ts';
import type { CloudEvent } from '../../common/src/core/events.ts';
import { chain } from '../../event-bus/src/log.ts';
import { migrations } from '../../event-bus/src/schema.ts';

/**
 * Opens a database for filling, made with its schema if missing: one transaction with an in-memory journal, which is
 * fast, and lost without `close`.
 */
export async function openToFill(file: string, schema: readonly string[]) {
  await openDatabase(file, schema).close();
  const db = new DatabaseSync(file);
  db.exec('PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF; PRAGMA cache_size = -500000; BEGIN');
  return {
    db,
    close(): void {
      db.exec('COMMIT; PRAGMA journal_mode = WAL');
      db.close();
    },
  };
}

/**
 * Appends events to a log, with the checksums that the bus would have made.
 * @returns the checkpoint at its new head
 */
export async function fillLog(file: string, events: Iterable<CloudEvent>): Promise<string> {
  const { db, close } = await openToFill(file, migrations);
  const newest = db.prepare('SELECT position, checksum FROM events ORDER BY position DESC LIMIT 1').get();
  const origin = db.prepare('SELECT 0 AS position, checksum FROM log').get();
  let { position, checksum } = (newest ?? origin) as { position: number; checksum: string };
  const insert = db.prepare(
    'INSERT INTO events (position, source, id, type, subject, record, checksum) VALUES (?, ?, ?, ?, ?, ?, ?)',
  );
  for (const event of events) {
    const record = JSON.stringify(event);
    checksum = chain(checksum, record);
    position += 1;
    insert.run(position, event.source, event.id, event.type, event.subject ?? null, record, checksum);
  }
  close();
  return `${position}-${checksum}`;
}
