// The way between the stream and the log of a copy: the next message, and messages joined on, checked by the chain of checksums.
import type { Database } from '@blog/common/core/database.ts';
import { firstOf } from '@blog/common/core/rows.ts';
import type { Tx } from '@blog/common/core/sqlite.ts';
import { appendRecords, checkpointAt, checkpointOf, type Entry, head, newest } from '../log.ts';
import { applyChanges, takeChanges } from './control.ts';
import type { Message, Sealed } from './stream.ts';

/** The last message of the stream that this log has, and the position behind it. */
export type Place = { seq: number; position: number };

/** The stream is not of the history that this log has. */
export class Diverged extends Error {}

export const placeOf = (tx: Tx): Place => tx.get<Place>('SELECT seq, position FROM sealed') as Place;

export function setPlace(tx: Tx, { seq, position }: Place): void {
  tx.run('UPDATE sealed SET seq = ?, position = ?', seq, position);
}

/** A log that goes on without the quorum is compared with the whole stream when it comes back, or makes a new one. */
export async function forgetPlace(db: Database): Promise<void> {
  const { seq } = await db.read(placeOf);
  if (seq > 0) await db.write((tx) => setPlace(tx, { seq: 0, position: 0 }));
}

/** The maximum of records in one message, in bytes: with the control state less than the 1 MiB that servers take by default. */
const MOST = 900 * 1024;

/** The next message: events and control state that are in none yet, as much as fits (`more`: not all events). Undefined if there is nothing. */
export function nextMessage(tx: Tx): (Sealed & { more: boolean }) | undefined {
  const sql = 'SELECT position, type, record, checksum FROM events WHERE position > ? ORDER BY position';
  const sizeOf = ({ record }: Entry) => Buffer.byteLength(record) + 2;
  const entries = tx.each<Entry>(sql, placeOf(tx).position);
  const { rows, more } = firstOf(entries, Number.POSITIVE_INFINITY, MOST, sizeOf);
  const control = takeChanges(tx);
  const last = rows.at(-1);
  if (!last && !control) return undefined;
  return { records: rows.map(({ record }) => record), upto: last ? checkpointOf(last) : head(tx), control, more };
}

/**
 * Joins messages on, in one work. Of what is in the log already the checksums have to be the same: a copy that was put back,
 * or ran without a quorum, so finds where it is.
 * @returns the entries that are new
 * @throws Diverged, and then nothing is changed
 */
export function join(tx: Tx, messages: Message[]): Entry[] {
  const added: Entry[] = [];
  for (const { seq, records, upto, control } of messages) {
    const place = placeOf(tx);
    if (seq < place.seq) continue;
    if (seq > place.seq + 1) throw new Error(`Message ${place.seq + 1} of the stream is missing.`);
    const isNew = seq > place.seq;
    const position = place.position + (isNew ? records.length : 0);
    const { position: last } = newest(tx);
    if (position > last) added.push(...appendRecords(tx, records.slice(last - place.position)));
    const here = checkpointAt(tx, position);
    if (here !== upto) throw new Diverged(`message ${seq} of the stream leads to ${upto}, and here to ${here}`);
    if (!isNew) continue;
    // Older control state than that of this log's end is not applied again.
    if (control && position >= last) applyChanges(tx, control);
    setPlace(tx, { seq, position });
  }
  return added;
}
