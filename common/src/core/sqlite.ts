// SQLite as this project uses it: durable connections, prepared statements, and what its errors mean.
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { Problem, unavailable } from './problem.ts';

/** The maximum wait for the lock of another process, in milliseconds; the event loop stands still meanwhile. */
const LOCK_WAIT = 250;

/** A connection that prepares each statement once. */
export class Connection extends DatabaseSync {
  #prepared = new Map<string, StatementSync>();

  constructor(file: string, readOnly = false) {
    super(file, { readOnly, timeout: LOCK_WAIT });
  }

  get<Row>(sql: string, ...values: SQLInputValue[]) {
    return this.#prepare(sql).get(...values) as Row | undefined;
  }

  all<Row>(sql: string, ...values: SQLInputValue[]) {
    return this.#prepare(sql).all(...values) as Row[];
  }

  /** Rows one by one, for as long as they are asked for: a bound on more than their number. */
  *each<Row>(sql: string, ...values: SQLInputValue[]) {
    try {
      yield* this.#prepare(sql).iterate(...values) as Iterable<Row>;
    } catch (error) {
      // A statement that failed half-way would fail again with that error.
      this.#prepared.delete(sql);
      throw error;
    }
  }

  run(sql: string, ...values: SQLInputValue[]) {
    return { changes: Number(this.#prepare(sql).run(...values).changes) };
  }

  #prepare(sql: string): StatementSync {
    return this.#prepared.getOrInsertComputed(sql, () => this.prepare(sql));
  }
}

/** The statements that a work may run. */
export type Tx = Pick<Connection, 'get' | 'all' | 'each' | 'run'>;

/** Opens a connection that writes. Durability is set and checked, because SQLite ignores a pragma that it cannot obey. */
export function openWriter(file: string): Connection {
  const writer = new Connection(file);
  writer.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA fullfsync = ON; PRAGMA foreign_keys = ON');
  const { journal_mode: journal } = writer.get<{ journal_mode: string }>('PRAGMA journal_mode') ?? {};
  const { synchronous } = writer.get<{ synchronous: number }>('PRAGMA synchronous') ?? {};
  if (journal === 'wal' && synchronous === 2) return writer;
  throw new Error(`The database is not durable here (${journal}, ${synchronous}).`);
}

export const schemaOf = (tx: Tx): number => tx.get<{ user_version: number }>('PRAGMA user_version')?.user_version ?? 0;

/** Brings the file to the newest schema: `user_version` counts the migrations that it has. */
export function migrate(writer: Connection, migrations: readonly string[]): void {
  const has = schemaOf(writer);
  if (has > migrations.length) throw new Error(`The database was made by a newer version (schema ${has}).`);
  migrations.slice(has).forEach((sql, i) => {
    writer.exec(`BEGIN IMMEDIATE; ${sql}; PRAGMA user_version = ${has + i + 1}; COMMIT`);
  });
}

/** The file was deleted or replaced after it was opened. SQLite itself looks for that only without a WAL. */
export class Moved extends Error {
  override message =
    'The database was deleted or replaced while it was in use; nothing is stored until this part is started again.';
}

/** Result codes that say something about the disk, the file or a lock, not about the statement (sqlite.org/rescode). */
const READ_ONLY = 8;
const DISK_FULL = 13;
const TROUBLES = new Set([4, 5, 6, 7, READ_ONLY, 9, 10, 11, DISK_FULL, 14, 15, 22, 24, 26]);
/** Stored data cannot be read back: a damaged page, not a database, four kinds of failed reads. */
const UNREADABLE = new Set([11, 26, 266, 522, 8202, 8458]);

const codeOf = (error: unknown): number => (error as { errcode?: number } | undefined)?.errcode ?? 0;

export const isUnreadable = (error: unknown): boolean =>
  UNREADABLE.has(codeOf(error)) || UNREADABLE.has(codeOf(error) & 0xff);

export const isReadOnly = (error: unknown): boolean => (codeOf(error) & 0xff) === READ_ONLY;

/** The 503 or 507 for an error of the database; undefined for any other error. */
export function databaseProblem(error: unknown): Problem | undefined {
  if (error instanceof Moved) return unavailable(error.message);
  const code = codeOf(error) & 0xff;
  if (!TROUBLES.has(code)) return undefined;
  if (code === DISK_FULL) return new Problem(507, 'The disk is full; nothing was stored.', { retryAfter: 5 });
  return unavailable('The database cannot be used at the moment; nothing was stored.');
}
