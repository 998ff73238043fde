// The log: an append, and reads that verify. The SQL is in sight; nothing in the table ever changes.
import { hash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { type Checkpoint, NEW, positionOf } from '@blog/common/core/checkpoint.ts';
import type { CloudEvent } from '@blog/common/core/events.ts';
import { fieldProblem, Problem } from '@blog/common/core/problem.ts';
import { firstOf } from '@blog/common/core/rows.ts';
import type { Tx } from '@blog/common/core/sqlite.ts';

export type Entry = { position: number; type: string; record: string; checksum: string };
type Place = { position: number; checksum: string };

/** The checksum of a record: SHA-256, its first 32 hex digits, over the checksum before it and the record's text. */
export const chain = (before: string, record: string): string => hash('sha256', before + record, 'hex').slice(0, 32);

export const checkpointOf = ({ position, checksum }: Place): Checkpoint => `${position}-${checksum}`;

/** The stored log is not the one that was written. */
export class Damage extends Problem {
  readonly position: number;
  readonly reason: string;
  constructor(position: number, reason: string) {
    super(503, `The log is damaged at position ${position}: ${reason}.`, { retryAfter: 1 });
    this.position = position;
    this.reason = reason;
  }
}

const placeAt = (tx: Tx, position: number): Place | undefined =>
  position === 0
    ? tx.get<Place>('SELECT 0 AS position, checksum FROM log')
    : tx.get<Place>('SELECT position, checksum FROM events WHERE position = ?', position);

/** The newest position of the log, with its checksum. */
export function newest(tx: Tx): Place {
  const last = tx.get<Place>('SELECT position, checksum FROM events ORDER BY position DESC LIMIT 1');
  return last ?? (placeAt(tx, 0) as Place);
}

export const head = (tx: Tx): Checkpoint => checkpointOf(newest(tx));

/** The checkpoint at a position, or undefined if the log does not reach it. */
export function checkpointAt(tx: Tx, position: number): Checkpoint | undefined {
  const place = placeAt(tx, position);
  return place && checkpointOf(place);
}

/** True for a checkpoint in this log's history. `"0"`, a new subscriber's, is in any. */
export const knows = (tx: Tx, checkpoint: Checkpoint): boolean =>
  checkpoint === NEW || checkpointAt(tx, positionOf(checkpoint)) === checkpoint;

/**
 * The maximum size of an event, in KiB of its record. Less for those that others follow from, which have their text again: so the
 * log takes the verdict on every comment that it took, and the update that follows from every verdict.
 */
const LARGEST = 256;
const LARGEST_OF = new Map(Object.entries({ CommentCreated: 240, CommentModerated: 248 }));

/**
 * Appends events, all or nothing. One that is there already (same source and id) keeps its position.
 * @returns each event's position, the checkpoint of the newest among them, and the entries that are new
 * @throws Problem 409 if one is there with another type, subject or data; 413 if one is too large
 */
export function append(tx: Tx, events: CloudEvent[]) {
  let { position, checksum } = newest(tx);
  const positions: number[] = [];
  const entries: Entry[] = [];
  for (const event of events) {
    const record = JSON.stringify(event);
    const largest = LARGEST_OF.get(event.type) ?? LARGEST;
    if (Buffer.byteLength(record) > largest * 1024)
      throw new Problem(413, `An event of type ${event.type} may have at most ${largest} KiB.`);
    const { entry, changes } = insert(tx, { position, checksum }, event, record);
    positions.push(changes > 0 ? entry.position : positionOfSame(tx, event));
    if (changes === 0) continue;
    entries.push(entry);
    ({ position, checksum } = entry);
  }
  return { positions, checkpoint: checkpointAt(tx, Math.max(...positions)) ?? NEW, entries };
}

/** Inserts an event behind a place of the log, unless it is there. */
function insert(tx: Tx, before: Place, event: CloudEvent, record: string) {
  const entry: Entry = {
    position: before.position + 1,
    type: event.type,
    record,
    checksum: chain(before.checksum, record),
  };
  const { changes } = tx.run(
    `INSERT INTO events (position, source, id, type, subject, record, checksum) VALUES (?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (source, id) DO NOTHING`,
    ...[entry.position, event.source, event.id, event.type, event.subject ?? null, record, entry.checksum],
  );
  return { entry, changes };
}

/** Appends records of another copy's log, as they are. */
export function appendRecords(tx: Tx, records: string[]): Entry[] {
  let place = newest(tx);
  return records.map((record) => {
    const { entry } = insert(tx, place, JSON.parse(record), record);
    place = entry;
    return entry;
  });
}

/** The position of an event that the log has already. */
function positionOfSame(tx: Tx, event: CloudEvent): number {
  const there = tx.get<Entry>(
    'SELECT position, type, record, checksum FROM events WHERE source = ? AND id = ?',
    ...[event.source, event.id],
  ) as Entry;
  if (sameContent(JSON.parse(there.record), event)) return there.position;
  const detail = `The log has ${event.id} of ${event.source} with other content.`;
  throw fieldProblem(409, 'id', 'was used for another event of this source', detail);
}

/** The time and the trace may differ when an event comes again. */
const sameContent = (a: CloudEvent, b: CloudEvent) =>
  a.type === b.type &&
  a.subject === b.subject &&
  a.data_base64 === b.data_base64 &&
  isDeepStrictEqual(a.data ?? null, JSON.parse(JSON.stringify(b.data ?? null)));

/** The maximum of entries that are read in one go, and of their characters: others wait meanwhile. */
export const PAGE = 200;
const PAGE_TEXT = 512 * 1024;

export const firstEntries = (tx: Tx, limit: number, sql: string, ...values: (string | number)[]) =>
  firstOf(tx.each<Entry>(`${sql} LIMIT ?`, ...values, limit), limit, PAGE_TEXT, ({ record }) => record.length);

/**
 * The next entries behind a position, none only at the end. Each is checked against the one before it: so no reader
 * passes a damage.
 * @throws Damage at the first position that is missing or does not fit its checksum
 */
export function readBehind(tx: Tx, after: number, limit: number): Entry[] {
  const sql = 'SELECT position, type, record, checksum FROM events WHERE position > ? ORDER BY position';
  const { rows: entries } = firstEntries(tx, limit, sql, after);
  let before = placeAt(tx, after);
  for (const entry of entries) {
    if (!before) throw new Damage(after, 'it is missing');
    if (entry.position !== before.position + 1) throw new Damage(before.position + 1, 'it is missing');
    if (entry.checksum !== chain(before.checksum, entry.record))
      throw new Damage(entry.position, 'it does not fit its checksum');
    before = entry;
  }
  return entries;
}

/** An entry as others read it: the event, and its position. */
export const entryJson = ({ position, record }: Entry): string => `{"position":${position},${record.slice(1)}`;
