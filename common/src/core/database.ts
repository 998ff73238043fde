import { mkdirSync, realpathSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { databaseProblem, isReadOnly, isUnreadable, movedError } from '../http/problem.ts';
import { identityOf } from '../run/lock.ts';

/** What a work may use. */
export interface Tx {
  get<Row>(sql: string, ...values: SQLInputValue[]): Row | undefined;
  all<Row>(sql: string, ...values: SQLInputValue[]): Row[];
  /** Rows one by one, for as long as they are asked for: bounds what is read by more than their number. */
  each<Row>(sql: string, ...values: SQLInputValue[]): IterableIterator<Row>;
  run(sql: string, ...values: SQLInputValue[]): { changes: number };
}

/** It runs in one go, so that nothing comes between its statements, and changes nothing outside the database. */
type Work<T> = (tx: Tx) => T;
/** How many works shared a transaction, and how long it took. */
type Commit = { works: number; seconds: number };
type Job = { work: Work<unknown>; resolve: (value: unknown) => void; reject: (error: unknown) => void };

/** How many works share a transaction at the most: bounds how long the first of them waits for its answer. */
const GROUP = 500;

/** How long the process waits for another one's lock, in milliseconds; nothing else happens in that time. */
const LOCK_WAIT = 250;

/** How long a `later` work may wait for another one's commit, in milliseconds. */
const LATER = 1_000;

function statements(connection: DatabaseSync): Tx {
  const prepared = new Map<string, StatementSync>();
  const prepare = (sql: string) => {
    let statement = prepared.get(sql);
    if (!statement) {
      statement = connection.prepare(sql);
      prepared.set(sql, statement);
    }
    return statement;
  };
  return {
    get: <Row>(sql: string, ...values: SQLInputValue[]) => prepare(sql).get(...values) as Row | undefined,
    all: <Row>(sql: string, ...values: SQLInputValue[]) => prepare(sql).all(...values) as Row[],
    *each<Row>(sql: string, ...values: SQLInputValue[]) {
      try {
        yield* prepare(sql).iterate(...values) as IterableIterator<Row>;
      } catch (error) {
        // A statement that failed half-way would fail again, with that error, whatever it reads next.
        prepared.delete(sql);
        throw error;
      }
    },
    run: (sql, ...values) => ({ changes: Number(prepare(sql).run(...values).changes) }),
  };
}

/**
 * One SQLite file with one writer. Writes that arrive together share a transaction (group commit): one fsync
 * acknowledges them all. Reads use a connection of their own and see only what is committed.
 */
export class Database {
  /** Set when something stored could not be read back: for good, because only a person can mend the file. */
  damage: string | undefined;
  #trouble: string | undefined;
  #readOnly = false;
  #file: string;
  /** The open files: the paths of the database, of its WAL and of the WAL's index, each with its file's identity. */
  #opened: Map<string, string>;
  #writer: DatabaseSync;
  #reader: DatabaseSync;
  #writing: Tx;
  #reading: Tx;
  #jobs: Job[] = [];
  #later: Job[] = [];
  #laterTimer: NodeJS.Timeout | undefined;
  #draining: Promise<void> | undefined;
  #begin: (() => void) | undefined;
  #listeners: (() => void)[] = [];
  #measured: (commit: Commit) => void = () => {};

  constructor(file: string) {
    this.#file = file;
    this.#writer = openWriter(file);
    this.#reader = new DatabaseSync(file, { readOnly: true, timeout: LOCK_WAIT });
    this.#writing = statements(this.#writer);
    this.#reading = statements(this.#reader);
    // A connection opens the WAL when it first reads.
    for (const connection of [this.#writer, this.#reader]) connection.exec('PRAGMA user_version');
    this.#opened = openFilesOf(file);
  }

  /** The trouble with the disk or the file: as of now if it was deleted or replaced, else as of the last commit. */
  get trouble(): string | undefined {
    try {
      this.assertInPlace();
      return this.#trouble;
    } catch (error) {
      return databaseProblem(error)?.message;
    }
  }

  /**
   * Checks that what is open is still what the path leads to: what is written to a deleted file is lost with this process.
   * It costs 2 µs for each of three files.
   * @throws an error of SQLite's, SQLITE_READONLY_DBMOVED, if it is not
   */
  assertInPlace(): void {
    for (const [path, identity] of this.#opened) if (identityOf(path) !== identity) throw movedError();
  }

  /** Brings the file to the newest schema: `user_version` counts the migrations that it has. */
  migrate(migrations: readonly string[]): void {
    const has = Number(this.#writer.prepare('PRAGMA user_version').get()?.user_version);
    if (has > migrations.length) throw new Error(`The database was made by a newer version (schema ${has}).`);
    migrations.slice(has).forEach((sql, i) => {
      this.#writer.exec(`BEGIN IMMEDIATE; ${sql}; PRAGMA user_version = ${has + i + 1}; COMMIT`);
    });
  }

  /** Changes with every commit, of any process: what was read while it was another one may be out of date. */
  get version(): number {
    return Number(this.#reading.get<{ data_version: number }>('PRAGMA data_version')?.data_version);
  }

  /** Runs a work in a snapshot of what is committed. Nothing else happens meanwhile: read long lists page by page. */
  async read<T>(work: Work<T>): Promise<T> {
    this.#reading.run('BEGIN');
    try {
      return work(this.#reading);
    } catch (error) {
      this.#notice(error);
      throw error;
    } finally {
      // Nothing is to be committed, and after a damaged page was met COMMIT would fail, whatever the work made of it.
      if (this.#reader.isTransaction) this.#reading.run('ROLLBACK');
    }
  }

  /**
   * Runs a work strictly after those before it, in a savepoint of its own; resolves after COMMIT and fsync. If it throws
   * it is undone alone. It may run more than once.
   * @throws what the work threw; an error of SQLite's if the group could not be committed: then nothing is stored
   */
  write<T>(work: Work<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#jobs.push({ work, resolve: resolve as Job['resolve'], reject });
      this.#wake();
      if (this.#jobs.length >= GROUP) this.#begin?.();
    });
  }

  /** Runs a work with the next commit, or after a second. For what may be lost, because losing it only repeats something. */
  later(work: Work<unknown>): void {
    this.#later.push({ work, resolve: () => {}, reject: () => {} });
    this.#laterTimer ??= setTimeout(() => this.#commitLater(), LATER).unref();
  }

  /** Calls the listener after every commit, when its callers have been answered. */
  onCommit(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** Tells the listener of every transaction that was committed, what it cost. */
  onMeasured(listener: (commit: Commit) => void): void {
    this.#measured = listener;
  }

  /** Writes something harmless to see whether a trouble is over. */
  async probe(): Promise<void> {
    const version = await this.read((tx) => tx.get<{ user_version: number }>('PRAGMA user_version'));
    await this.write((tx) => tx.run(`PRAGMA user_version = ${version?.user_version}`)).catch(() => {});
  }

  /** Finishes what was asked for, then closes the file. */
  async close(): Promise<void> {
    await this.#commitLater();
    await this.#draining;
    this.#reader.close();
    this.#writer.close();
  }

  #wake(): void {
    this.#draining ??= this.#drain();
  }

  /** What came while a commit was under way is not part of it, nor of what follows it. */
  async #commitLater(): Promise<void> {
    await this.#draining;
    if (this.#later.length > 0) this.#wake();
  }

  async #drain(): Promise<void> {
    // Whatever else this turn of the event loop brings joins the group, until it is full: under load turns are long. An
    // idle process waits for nothing.
    await new Promise<void>((resolve) => {
      this.#begin = resolve;
      setImmediate(resolve);
    });
    while (this.#jobs.length > 0 || this.#later.length > 0) {
      const group = [...this.#later.splice(0), ...this.#jobs.splice(0, GROUP)];
      clearTimeout(this.#laterTimer);
      this.#laterTimer = undefined;
      this.#commit(group);
      for (const listener of this.#listeners) listener();
      await nextTurn();
      if (this.#jobs.length === 0) break;
    }
    this.#draining = undefined;
  }

  #commit(group: Job[]): void {
    const began = performance.now();
    try {
      this.assertInPlace();
      if (this.#readOnly) this.#openAgain();
      this.#writing.run('BEGIN IMMEDIATE');
      this.#trouble = undefined;
    } catch (error) {
      this.#failed(group, error);
      return;
    }
    let answers: (() => void)[];
    try {
      answers = group.map((job) => this.#attempt(job));
      this.#writing.run('COMMIT');
    } catch (error) {
      if (this.#writer.isTransaction) this.#writing.run('ROLLBACK');
      if (group.length === 1) this.#failed(group, error);
      // One of them may be too much for the disk, and the others not.
      else for (const job of group) this.#commit([job]);
      return;
    }
    try {
      // Once more: what is acknowledged was in its place after the commit.
      this.assertInPlace();
    } catch (error) {
      this.#failed(group, error);
      return;
    }
    this.#measured({ works: group.length, seconds: (performance.now() - began) / 1_000 });
    for (const answer of answers) answer();
  }

  /** Runs one work in its savepoint and returns the answer to give once the group is committed. */
  #attempt({ work, resolve, reject }: Job): () => void {
    this.#writing.run('SAVEPOINT work');
    try {
      const value = work(this.#writing);
      if (value instanceof Promise) throw new Error('A work must not be async: its rest would run after COMMIT.');
      this.#writing.run('RELEASE work');
      return () => resolve(value);
    } catch (error) {
      // A full disk, for one, ends the whole transaction: what the others wrote is gone too.
      if (!this.#writer.isTransaction) throw error;
      this.#writer.exec('ROLLBACK TO work; RELEASE work');
      this.#notice(error);
      if (databaseProblem(error)) this.#inTrouble(error);
      return () => reject(error);
    }
  }

  #notice(error: unknown): void {
    if (isUnreadable(error)) this.damage = 'The database is damaged: a page of its file cannot be read.';
  }

  #failed(group: Job[], error: unknown): void {
    this.#notice(error);
    this.#inTrouble(error);
    for (const { reject } of group) reject(error);
  }

  #inTrouble(error: unknown): void {
    this.#trouble = databaseProblem(error)?.message ?? 'The last commit failed.';
    this.#readOnly = isReadOnly(error);
  }

  /** A connection made while the file could only be read never writes: once it can be written, a new one does. */
  #openAgain(): void {
    const writer = openWriter(this.#file);
    this.#writer.close();
    this.#writer = writer;
    this.#writing = statements(writer);
    this.#opened = openFilesOf(this.#file);
    this.#readOnly = false;
  }
}

/** The files of an open database, with their identities. SQLite keeps the WAL beside the file that a link leads to. */
function openFilesOf(file: string): Map<string, string> {
  const target = realpathSync(file);
  const paths = [file, `${target}-wal`, `${target}-shm`];
  return new Map(paths.map((path) => [path, identityOf(path) ?? ''] as const).filter(([, identity]) => identity));
}

function openWriter(file: string): DatabaseSync {
  const writer = new DatabaseSync(file, { timeout: LOCK_WAIT });
  configure(writer);
  return writer;
}

/** Durability is set here and checked, because SQLite ignores a pragma that it cannot obey. */
function configure(connection: DatabaseSync): void {
  connection.exec(
    'PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA fullfsync = ON; PRAGMA foreign_keys = ON',
  );
  const journal = connection.prepare('PRAGMA journal_mode').get()?.journal_mode;
  const synchronous = connection.prepare('PRAGMA synchronous').get()?.synchronous;
  if (journal !== 'wal' || synchronous !== 2)
    throw new Error(`The database is not durable here (${journal}, ${synchronous}).`);
}

/** Opens the file, makes its folder and the file where they are missing, and migrates it. */
export function openDatabase(file: string, migrations: readonly string[]): Database {
  mkdirSync(dirname(file), { recursive: true });
  const db = new Database(file);
  db.migrate(migrations);
  return db;
}
