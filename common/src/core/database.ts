// The database of a server: one writer with group commit, and reads that see only what is committed.
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Health } from './health.ts';
import { Problem } from './problem.ts';
import type { Seal } from './seal.ts';
import { Connection, databaseProblem, migrate, openWriter, schemaOf, type Tx } from './sqlite.ts';

/** It runs in one go, so that nothing comes between its statements, and changes nothing outside the database. */
type Work<T> = (tx: Tx) => T;
/** The number of works that shared a transaction, and the time that it took. */
type Commit = { works: number; seconds: number };
type Job = { work: Work<unknown>; seals: boolean; resolve: (value: unknown) => void; reject: (error: unknown) => void };

/** The maximum of works in one transaction: bounds how long the first of them waits for its answer. */
const GROUP = 500;

/** The maximum wait of a `later` work for the commit of another one, in milliseconds. */
const LATER = 1_000;

/**
 * One SQLite file with one writer. Writes that arrive together share a transaction (group commit) and its fsync. Reads use a
 * connection of their own and see only what is committed.
 */
export class Database {
  readonly health = new Health();
  #file: string;
  #writer: Connection;
  #reader: Connection;
  #jobs: Job[] = [];
  #later: Job[] = [];
  #timer: NodeJS.Timeout | undefined;
  #draining: Promise<void> | undefined;
  #begin: (() => void) | undefined;
  #listeners: (() => void)[] = [];
  #measured: (commit: Commit) => void = () => {};
  #seal: Seal | undefined;

  constructor(file: string, migrations: readonly string[]) {
    this.#file = file;
    this.#writer = openWriter(file);
    migrate(this.#writer, migrations);
    this.#reader = new Connection(file, true);
    // A connection opens the WAL when it first reads.
    this.#reader.exec('PRAGMA user_version');
    this.health.opened(file);
  }

  /** Changes with every commit, of any process: what was read at another version may be out of date. */
  get version(): number {
    return this.#reader.get<{ data_version: number }>('PRAGMA data_version')?.data_version ?? 0;
  }

  /** Runs a work in a snapshot of what is committed. Nothing else happens meanwhile: read long lists page by page. */
  async read<T>(work: Work<T>): Promise<T> {
    this.#reader.run('BEGIN');
    try {
      return work(this.#reader);
    } catch (error) {
      this.health.notice(error);
      throw error;
    } finally {
      // Not COMMIT: there is nothing to commit, and it would fail after a damaged page was met.
      if (this.#reader.isTransaction) this.#reader.run('ROLLBACK');
    }
  }

  /**
   * Runs a work strictly after those before it, in a savepoint of its own; resolves after COMMIT and fsync. If it throws
   * it is undone alone. It may run more than once.
   * @throws what the work threw; an error of SQLite's if the group could not be committed: then nothing is stored
   */
  write<T>(work: Work<T>): Promise<T> {
    return this.#queue('push', work, true);
  }

  /** Runs a work that needs no seal, because it brings what is sealed, before the works that wait. */
  writeSealed<T>(work: Work<T>): Promise<T> {
    return this.#queue('unshift', work, false);
  }

  #queue<T>(add: 'push' | 'unshift', work: Work<T>, seals: boolean): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    this.#jobs[add]({ work, seals, resolve: resolve as Job['resolve'], reject });
    this.#draining ??= this.#drain();
    if (this.#jobs.length >= GROUP) this.#begin?.();
    return promise;
  }

  /** Runs a work with the next commit, or after a second: for what may be lost. It asks for no seal, unless it `seals`. */
  later(work: Work<unknown>, { seals = false } = {}): void {
    this.#later.push({ work, seals, resolve: () => {}, reject: () => {} });
    this.#timer ??= setTimeout(() => this.#flush(), LATER).unref();
  }

  /** Commits a group only once it is sealed. */
  sealWith(seal: Seal): void {
    seal.prepare(this.#writer);
    this.#seal = seal;
  }

  /** Calls the listener after every commit, when its callers have been answered. */
  onCommit(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** Calls the listener with the cost of every transaction that was committed. */
  onMeasured(listener: (commit: Commit) => void): void {
    this.#measured = listener;
  }

  /** Writes something harmless to see whether a trouble is over. */
  async probe(): Promise<void> {
    await this.write((tx) => tx.run(`PRAGMA user_version = ${schemaOf(tx)}`)).catch(() => {});
  }

  /** Finishes the works that were given, then closes the file. */
  async close(): Promise<void> {
    await this.#flush();
    await this.#draining;
    this.#reader.close();
    this.#writer.close();
  }

  async #flush(): Promise<void> {
    await this.#draining;
    if (this.#later.length > 0) this.#draining ??= this.#drain();
  }

  async #drain(): Promise<void> {
    // The group takes in what the rest of this turn of the event loop brings, until it is full: under load turns are long.
    await new Promise<void>((resolve) => {
      this.#begin = resolve;
      setImmediate(resolve);
    });
    do {
      clearTimeout(this.#timer);
      this.#timer = undefined;
      await this.#commit([...this.#later.splice(0), ...this.#jobs.splice(0, GROUP)]);
      for (const listener of this.#listeners) listener();
      await nextTurn();
      // A `later` work that was queued meanwhile waits for the next group: it is not worth an fsync of its own.
    } while (this.#jobs.length > 0);
    this.#draining = undefined;
  }

  async #commit(group: Job[]): Promise<void> {
    const began = performance.now();
    let answers: (() => void)[];
    try {
      this.health.assertInPlace();
      if (this.health.isReadOnly) this.#openAgain();
      this.#writer.run('BEGIN IMMEDIATE');
    } catch (error) {
      this.#failed(group, error);
      return;
    }
    this.health.failure = undefined;
    try {
      answers = group.map((job) => this.#attempt(job));
      const sealing = group.some(({ seals }) => seals) ? this.#seal?.seal(this.#writer) : undefined;
      // Awaited only if there is one: without a seal all of this runs in one go.
      if (sealing) await sealing;
      this.#writer.run('COMMIT');
      // Once more: an acknowledged write was in the right file after the commit.
      this.health.assertInPlace();
    } catch (error) {
      if (this.#writer.isTransaction) this.#writer.run('ROLLBACK');
      const isUnsealed = error instanceof Problem && error.status !== 413;
      // One of them may be too much for the disk, or for one seal, and the others not.
      if (group.length > 1 && !isUnsealed) for (const job of group) await this.#commit([job]);
      else this.#failed(group, error);
      return;
    }
    this.#measured({ works: group.length, seconds: (performance.now() - began) / 1_000 });
    for (const answer of answers) answer();
  }

  /** Runs one work in its savepoint and returns the answer to give once the group is committed. */
  #attempt({ work, resolve, reject }: Job): () => void {
    this.#writer.run('SAVEPOINT work');
    try {
      const value = work(this.#writer);
      if (value instanceof Promise) throw new Error('A work must not be async: its rest would run after COMMIT.');
      this.#writer.run('RELEASE work');
      return () => resolve(value);
    } catch (error) {
      // A full disk, for one, ends the whole transaction: what the others wrote is gone too.
      if (!this.#writer.isTransaction) throw error;
      this.#writer.exec('ROLLBACK TO work; RELEASE work');
      if (databaseProblem(error)) this.health.failed(error);
      return () => reject(error);
    }
  }

  #failed(group: Job[], error: unknown): void {
    if (!(error instanceof Problem)) this.health.failed(error);
    for (const { reject } of group) reject(error);
  }

  /** A connection opened while its file could only be read never writes: a new one does, once the file can be written. */
  #openAgain(): void {
    const writer = openWriter(this.#file);
    this.#seal?.prepare(writer);
    this.#writer.close();
    this.#writer = writer;
    this.health.opened(this.#file);
    this.health.isReadOnly = false;
  }
}

/** Opens the file, makes it and its folder where they are missing, and migrates it. */
export function openDatabase(file: string, migrations: readonly string[]): Database {
  mkdirSync(dirname(file), { recursive: true });
  return new Database(file, migrations);
}
