// The way from the stream into the log of a copy: messages are joined on, checked by the chain of checksums.
import { firstOf } from '@blog/common/core/rows.ts';
import type { Tx } from '@blog/common/core/sqlite.ts';
import { appendRecords, checkpointAt, type Entry, newest } from './log.ts';
import { applyChanges } from './quorum-control.ts';
import type { Message } from './quorum-stream.ts';

/** The last message of the stream that this log has, and the position behind it. */
export type Place = { seq: number; position: number };

/** The stream is not of the history that this log has. */
export class Diverged extends Error {}

export const placeOf = (tx: Tx): Place => tx.get<Place>('SELECT seq, position FROM sealed') as Place;

export function setPlace(tx: Tx, { seq, position }: Place): void {
  tx.run('UPDATE sealed SET seq = ?, position = ?', seq, position);
}

/** The maximum of records in one message, in bytes: with the control state less than the 1 MiB that servers take by default. */
const MOST = 900 * 1024;

/** The first entries that are in the log here, and in no message yet; `more`: they do not fit one message. */
export function unsealed(tx: Tx, position: number) {
  const sql = 'SELECT position, type, record, checksum FROM events WHERE position > ? ORDER BY position';
  const sizeOf = ({ record }: Entry) => Buffer.byteLength(record) + 2;
  return firstOf(tx.each<Entry>(sql, position), Number.POSITIVE_INFINITY, MOST, sizeOf);
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
    if (seq === place.seq && upto !== checkpointAt(tx, place.position))
      throw new Diverged(
        `message ${seq} of the stream leads to ${upto}, and here to ${checkpointAt(tx, place.position)}`,
      );
    if (seq <= place.seq) continue;
    if (seq !== place.seq + 1) throw new Error(`Message ${place.seq + 1} of the stream is missing.`);
    const position = place.position + records.length;
    const { position: last } = newest(tx);
    if (position > last) added.push(...appendRecords(tx, records.slice(last - place.position)));
    if (checkpointAt(tx, position) !== upto)
      throw new Diverged(`message ${seq} of the stream leads to ${upto}, and here to ${checkpointAt(tx, position)}`);
    // Older control state than that of this log's end is not applied again.
    if (control && position >= last) applyChanges(tx, control);
    setPlace(tx, { seq, position });
  }
  return added;
}
