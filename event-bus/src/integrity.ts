// The integrity of the log: its newest entries are checked at the start, all of it when asked.
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Checkpoint } from '@blog/common/core/checkpoint.ts';
import type { Database } from '@blog/common/core/database.ts';
import type { Log } from '@blog/common/core/observer.ts';
import { unavailable } from '@blog/common/core/problem.ts';
import { isUnreadable, type Tx } from '@blog/common/core/sqlite.ts';
import { checkpointAt, Damage, newest, PAGE, readBehind } from './log.ts';

/** The number of newest entries that are checked at the start: a crash or a bad disk can have hurt them while they were written. */
const TAIL = 1_000;

export type Verdict = { ok: true; events: number; head: Checkpoint } | { ok: false; position: number; reason: string };

/**
 * Checks the log behind a position, page by page, so that others are served in between: every position is there, every
 * record fits the checksums, and the columns by which events are found say what the record says.
 */
export async function verifyLog(db: Database, after = 0): Promise<Verdict> {
  let position = after;
  for (let most = PAGE; ; await nextTurn()) {
    try {
      const last = await db.read((tx) => {
        const entries = readBehind(tx, position, most);
        assertFound(tx, position, entries.length);
        return entries.at(-1);
      });
      if (!last) break;
      position = last.position;
    } catch (error) {
      if (error instanceof Damage) return { ok: false, position: error.position, reason: error.reason };
      if (!isUnreadable(error)) throw error;
      if (most === 1) return { ok: false, position: position + 1, reason: 'it cannot be read' };
      most = 1; // One of that page cannot be read: the next turns find out which.
    }
  }
  const head = await db.read((tx) => checkpointAt(tx, position));
  return { ok: true, events: position - after, head: head as Checkpoint };
}

/** An event is recognised, and found by type and subject, by the columns beside its record. */
function assertFound(tx: Tx, after: number, limit: number): void {
  const wrong = tx.get<{ position: number }>(
    `SELECT position FROM (SELECT * FROM events WHERE position > ? ORDER BY position LIMIT ?) AS e
     WHERE source IS NOT record ->> 'source' OR id IS NOT record ->> 'id'
        OR type IS NOT record ->> 'type' OR subject IS NOT record ->> 'subject'
        OR position IS NOT (SELECT position FROM events WHERE source = e.source AND id = e.id)
     LIMIT 1`,
    ...[after, limit],
  );
  if (wrong) throw new Damage(wrong.position, 'it is not found under what its record says');
}

export class Integrity {
  #db: Database;
  #log: Log;
  /** The damage among the newest entries, as it was when the process started, and the one found when a person asked. */
  #end: Promise<string | undefined> | undefined;
  #found: string | undefined;
  #verifying: Promise<Verdict> | undefined;

  constructor(db: Database, log: Log) {
    this.#db = db;
    this.#log = log;
    // A database that cannot be read just now is reported elsewhere; the next publication checks again.
    this.#damagedEnd().catch(() => {});
  }

  /**
   * Nothing is appended on top of a damaged end: a publisher that is refused keeps its events until a person has put back a
   * log that can be trusted.
   * @throws Problem 503 if the newest entries are damaged
   */
  async assertSound(): Promise<void> {
    if (await this.#damagedEnd()) throw unavailable('The end of the log is damaged: nothing is appended to it.');
  }

  /**
   * Checks the whole log now; requests that come meanwhile get the same answer.
   * @throws an error of SQLite's if its file was deleted or replaced: the entries that can still be read will not be there
   */
  async verify(): Promise<Verdict> {
    this.#db.health.assertInPlace();
    this.#verifying ??= this.#verify().finally(() => {
      this.#verifying = undefined;
    });
    return this.#verifying;
  }

  async #verify(): Promise<Verdict> {
    const verdict = await verifyLog(this.#db);
    this.#found = this.#damageOf(verdict);
    return verdict;
  }

  async degraded(): Promise<string[]> {
    const damages = new Set([await this.#damagedEnd(), this.#found]);
    return [...damages].filter((text) => text !== undefined);
  }

  #damagedEnd(): Promise<string | undefined> {
    this.#end ??= this.#checkEnd();
    return this.#end;
  }

  async #checkEnd(): Promise<string | undefined> {
    try {
      const { position } = await this.#db.read(newest);
      return this.#damageOf(await verifyLog(this.#db, Math.max(0, position - TAIL)));
    } catch (error) {
      if (!isUnreadable(error)) {
        this.#end = undefined;
        throw error;
      }
      this.#log.error({ err: error }, 'the log is damaged');
      return 'The end of the log cannot be read.';
    }
  }

  #damageOf(verdict: Verdict): string | undefined {
    if (verdict.ok) return undefined;
    const { position, reason } = verdict;
    this.#log.error({ position, reason }, 'the log is damaged');
    return new Damage(position, reason).message;
  }
}
