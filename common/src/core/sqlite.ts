// SQLite as this project uses it: durable connections, prepared statements, and what its errors mean.
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { Problem, unavailable } from './problem.ts';

/** The statements that a work may run. */
export interface Tx {
  get<Row>(sql: string, ...values: SQLInputValue[]): Row | undefined;
  all<Row>(sql: string, ...values: SQLInputValue[]): Row[];
  /** Rows one by one, for as long as they are asked for: a bound on more than their number. */
  each<Row>(sql: string, ...values: SQLInputValue[]): IterableIterator<Row>;
  run(sql: string, ...values: SQLInputValue[]): { changes: number };
}

/** The maximum wait for the lock of another process, in milliseconds; the event loop stands still meanwhile. */
const LOCK_WAIT = 250;

/** Prepares each statement of a connection once. */
export function statements(connection: DatabaseSync): Tx {
  const prepared = new Map<string, StatementSync>();
  const prepare = (sql: string) => {
    const statement = prepared.get(sql) ?? connection.prepare(sql);
    prepared.set(sql, statement);
    return statement;
  };
  return {
    get: <Row>(sql: string, ...values: SQLInputValue[]) => prepare(sql).get(...values) as Row | undefined,
    all: <Row>(sql: string, ...values: SQLInputValue[]) => prepare(sql).all(...values) as Row[],
    *each<Row>(sql: string, ...values: SQLInputValue[]) {
      try {
        yield* prepare(sql).iterate(...values) as IterableIterator<Row>;
      } catch (error) {
        // A statement that failed half-way would fail again with that error.
        prepared.delete(sql);
        throw error;
      }
    },
    run: (sql, ...values) => ({ changes: Number(prepare(sql).run(...values).changes) }),
  };
}

export const openReader = (file: string) => new DatabaseSync(file, { readOnly: true, timeout: LOCK_WAIT });

/** Opens a connection that writes. Durability is set and checked, because SQLite ignores a pragma that it cannot obey. */
export function openWriter(file: string): DatabaseSync {
  const writer = new DatabaseSync(file, { timeout: LOCK_WAIT });
  writer.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA fullfsync = ON; PRAGMA foreign_keys = ON');
  const journal = writer.prepare('PRAGMA journal_mode').get()?.journal_mode;
  const synchronous = writer.prepare('PRAGMA synchronous').get()?.synchronous;
  if (journal === 'wal' && synchronous === 2) return writer;
  throw new Error(`The database is not durable here (${journal}, ${synchronous}).`);
}

/** Result codes that say something about the disk, the file or a lock, not about the statement (sqlite.org/rescode). */
const READ_ONLY = 8;
const DISK_FULL = 13;
const TROUBLES = new Set([4, 5, 6, 7, READ_ONLY, 9, 10, 11, DISK_FULL, 14, 15, 22, 24, 26]);
/** SQLITE_READONLY_DBMOVED: the file was deleted or replaced after it was opened. */
const MOVED = 1032;
/** Stored data cannot be read back: a damaged page, not a database, four kinds of failed reads. */
const UNREADABLE = new Set([11, 26, 266, 522, 8202, 8458]);

const codeOf = (error: unknown): number =>
  (error as { code?: unknown }).code === 'ERR_SQLITE_ERROR' ? Number((error as { errcode?: unknown }).errcode) : 0;

export const isUnreadable = (error: unknown): boolean =>
  UNREADABLE.has(codeOf(error)) || UNREADABLE.has(codeOf(error) & 0xff);

/** True if a connection may only read, as one that was opened while its file could only be read. */
export const isReadOnly = (error: unknown): boolean => (codeOf(error) & 0xff) === READ_ONLY;

/** SQLite's own error for a file that is no longer at its path. SQLite itself looks for that only without a WAL. */
export const movedError = (): Error =>
  Object.assign(new Error('the database file has been moved'), { code: 'ERR_SQLITE_ERROR', errcode: MOVED });

/** The 503 or 507 for an error of the database; undefined for any other error. */
export function databaseProblem(error: unknown): Problem | undefined {
  const code = codeOf(error) & 0xff;
  if (!TROUBLES.has(code)) return undefined;
  if (code === DISK_FULL) return new Problem(507, 'The disk is full; nothing was stored.', { retryAfter: 5 });
  return unavailable(
    codeOf(error) === MOVED
      ? 'The database was deleted or replaced while it was in use; nothing is stored until this part is started again.'
      : 'The database cannot be used at the moment; nothing was stored.',
  );
}
