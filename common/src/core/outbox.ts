// The transactional outbox: a service writes its change and the event that tells of it in one transaction, and a relay
// (relay.ts) sends the event later. So an event is never lost, and never tells of a change that was rolled back.
import { type Checkpoint, NEW, positionOf } from './checkpoint.ts';
import { firstOf, type Rows } from './rows.ts';
import type { Tx } from './sqlite.ts';

/** The outbox, and the bus's last checkpoint: the bus has acknowledged all events of this service up to there. */
export const outboxSchema = `
  CREATE TABLE outbox (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    event TEXT NOT NULL,
    refused TEXT
  ) STRICT;
  CREATE TABLE publication (checkpoint TEXT) STRICT;
  INSERT INTO publication VALUES (NULL);
`;

export type OutboxRow = { seq: number; event: string };

/** Puts an event into the outbox, in the transaction of the change that it tells of. */
export const enqueue = (tx: Tx, event: object | string) =>
  tx.run('INSERT INTO outbox (event) VALUES (?)', typeof event === 'string' ? event : JSON.stringify(event));

/**
 * A replay order was taken: refused events are sent once more. After an order from the start the log is right, whatever the
 * bus had acknowledged; after a later one a loss must still be noticed.
 */
export function prepareReplay(tx: Tx, after: Checkpoint): void {
  sendRefusedAgain(tx);
  if (positionOf(after) === 0) tx.run('UPDATE publication SET checkpoint = ?', after);
}

/** Moves refused events to the end of the outbox, each once: the events behind them have gone before. */
export function sendRefusedAgain(tx: Tx): void {
  tx.run(
    'INSERT INTO outbox (event) SELECT event FROM outbox WHERE refused IS NOT NULL GROUP BY event ORDER BY min(seq)',
  );
  tx.run('DELETE FROM outbox WHERE refused IS NOT NULL');
}

/** The maximum size of a batch, in bytes of its events' text. */
const BATCH_BYTES = 500 * 1024;
const bytesOf = ({ event }: OutboxRow): number => Buffer.byteLength(event) + 1; // with the comma behind it

/** The rows to send next: the first behind `after` that were not refused. */
export function nextRows(tx: Tx, after: number, limit: number): Rows<OutboxRow> {
  const sql = 'SELECT seq, event FROM outbox WHERE seq > ? AND refused IS NULL ORDER BY seq LIMIT ?';
  return firstOf(tx.each<OutboxRow>(sql, after, limit + 1), limit, BATCH_BYTES, bytesOf);
}

/** The last checkpoint that the bus has acknowledged this service's events with. */
export const publishedUpTo = (tx: Tx): Checkpoint | undefined =>
  tx.get<{ checkpoint: Checkpoint | null }>('SELECT checkpoint FROM publication')?.checkpoint ?? undefined;

/** Removes rows that the bus has acknowledged. An event that the log had before is answered with an older checkpoint. */
export function forget(tx: Tx, seq: number, checkpoint: Checkpoint | undefined): void {
  tx.run('DELETE FROM outbox WHERE seq <= ? AND refused IS NULL', seq);
  if (checkpoint && positionOf(publishedUpTo(tx) ?? NEW) < positionOf(checkpoint))
    tx.run('UPDATE publication SET checkpoint = ?', checkpoint);
}

/** The first row that waits. Refused ones stand before it and none behind it, so that a long outbox is not searched. */
const firstWaiting = (tx: Tx, sent: number) => nextRows(tx, sent, 1).rows[0];

/** The last row; 0 if there is none. */
export const lastRow = (tx: Tx): number => tx.get<{ seq: number }>('SELECT max(seq) AS seq FROM outbox')?.seq ?? 0;

/** True if the bus has refused the event of this post or comment. */
export const isRefused = (tx: Tx, id: string, upto: number): boolean =>
  tx.get("SELECT 1 FROM outbox WHERE seq <= ? AND refused IS NOT NULL AND event ->> 'subject' = ?", upto, id) !==
  undefined;

/** The answers of the bus to the first hundred events that it refused. */
export function refusals(tx: Tx, sent: number): string[] {
  const sql = 'SELECT refused FROM outbox WHERE seq < ? AND refused IS NOT NULL LIMIT 100';
  const rows = tx.all<{ refused: string }>(sql, firstWaiting(tx, sent)?.seq ?? Number.MAX_SAFE_INTEGER);
  return rows.map(({ refused }) => refused);
}

/** Counts the events that wait and the refused ones; `oldestSeconds` is the age of the first that waits. */
export function depthOf(tx: Tx, sent: number) {
  const first = firstWaiting(tx, sent);
  const sql = 'SELECT count(*) AS count FROM outbox WHERE seq < ? AND refused IS NOT NULL';
  const age = first ? Date.now() - Date.parse(JSON.parse(first.event).time) : 0;
  return {
    // Rows follow one another with hardly a gap, so that the ends tell their number.
    events: first ? lastRow(tx) - first.seq + 1 : 0,
    oldestSeconds: Math.max(0, age / 1_000),
    refused: tx.get<{ count: number }>(sql, first?.seq ?? Number.MAX_SAFE_INTEGER)?.count ?? 0,
  };
}
