// Dead letters: events that a subscriber cannot take, parked so that the events behind them go on.
import { fieldProblem, unknownCursor } from '@blog/common/core/problem.ts';
import { firstOf, type Rows } from '@blog/common/core/rows.ts';
import type { Tx } from '@blog/common/core/sqlite.ts';
import type { Entry } from './log.ts';

/** Left out of pushes until it is redelivered or discarded. */
export type DeadLetter = { id: number; subscription: string; position: number; reason: string; parkedAt: string };

const COLUMNS = 'd.id, d.subscription, d.position, d.reason, d.parked_at AS parkedAt';

export function park(tx: Tx, subscription: string, position: number, reason: string): void {
  tx.run(
    'INSERT OR IGNORE INTO dead_letters (subscription, position, reason, parked_at) VALUES (?, ?, ?, ?)',
    ...[subscription, position, reason, new Date().toISOString()],
  );
}

/** The parked ones among the positions behind `after`, up to `upto`. */
export function parkedBetween(tx: Tx, subscription: string, after: number, upto: number): Set<number> {
  const rows = tx.all<{ position: number }>(
    'SELECT position FROM dead_letters WHERE subscription = ? AND position > ? AND position <= ?',
    ...[subscription, after, upto],
  );
  return new Set(rows.map((row) => row.position));
}

/** Letters behind the letter `cursor`, newest first, each with its event's record. */
export function listLetters(tx: Tx, limit: number, cursor?: string): Rows<DeadLetter & { record: string }> {
  if (cursor !== undefined && !/^\d{1,15}$/.test(cursor)) throw unknownCursor();
  const rows = tx.each<DeadLetter & { record: string }>(
    `SELECT ${COLUMNS}, e.record FROM dead_letters d JOIN events e USING (position)
     WHERE d.id < ? ORDER BY d.id DESC LIMIT ?`,
    ...[cursor === undefined ? Number.MAX_SAFE_INTEGER : Number(cursor), limit + 1],
  );
  return firstOf(rows, limit);
}

/** The 404 for a letter that is not there, or not there any more. */
export const unknownLetter = () => fieldProblem(404, 'id', 'must be the id of a dead letter');

/**
 * A letter's event, as it stands in the log.
 * @throws Problem 404
 */
export function getLetter(tx: Tx, id: number): DeadLetter & Entry {
  const letter = tx.get<DeadLetter & Entry>(
    `SELECT ${COLUMNS}, e.type, e.record, e.checksum FROM dead_letters d JOIN events e USING (position) WHERE d.id = ?`,
    id,
  );
  if (!letter) throw unknownLetter();
  return letter;
}

/** The number of letters of a subscription. More than 10,000 count as so many: nothing waits for them to be counted. */
export function countLetters(tx: Tx, subscription: string): number {
  const sql = 'SELECT count(*) AS letters FROM (SELECT 1 FROM dead_letters WHERE subscription = ? LIMIT 10000)';
  return tx.get<{ letters: number }>(sql, subscription)?.letters ?? 0;
}

export function deleteLetter(tx: Tx, id: number): boolean {
  return tx.run('DELETE FROM dead_letters WHERE id = ?', id).changes > 0;
}
