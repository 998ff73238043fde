// The data of a server: its database, in a folder that it may share with the other parts, and the lock of that folder.
import { accessSync, constants, existsSync, mkdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type Database, openDatabase } from '../core/database.ts';
import { identityOf } from '../core/health.ts';

/** The database of a part. */
export const fileOf = (folder: string, part: string): string => join(folder, `${part}.db`);

/** The database of a part, and the files that SQLite keeps beside it. */
export const filesOf = (folder: string, part: string): string[] =>
  ['', '-wal', '-shm', '-journal'].map((suffix) => fileOf(folder, part) + suffix);

/**
 * The lock of a folder: an empty SQLite file inside it, so that each path to the folder leads to the same lock. The kernel
 * releases what a process holds when that process ends, even by `kill -9`. Nothing but SQLite may open the file: POSIX drops
 * all locks of a process on a file as soon as that process closes any descriptor of it.
 */
export const LOCK_FILE = 'blog.lock';

/** The three locks of SQLite's rollback journal (sqlite.org/lockingv3.html §3), none of which writes to the file. */
const LOCKS = {
  /** SHARED: a process that has a database open. Any number may. */
  use: 'BEGIN; SELECT 1 FROM sqlite_schema',
  /** RESERVED: a runner of parts. One at a time, beside those that use the data. */
  run: 'BEGIN IMMEDIATE',
  /** EXCLUSIVE: a command that deletes or replaces files, which nothing else may have open meanwhile. */
  replace: 'BEGIN EXCLUSIVE',
};

/** The maximum wait for a lock, in milliseconds: a command that only asks holds one for a moment. */
const LOCK_WAIT = 250;
const SQLITE_BUSY = 5;

/** Keeps the connections from garbage collection, which would release their locks. */
const held = new Set<DatabaseSync>();

/** Names the one of these paths that this process may not read and write, and its owner; undefined if there is none. */
export function whyDenied(paths: string[]): string | undefined {
  for (const path of paths.filter((path) => existsSync(path))) {
    try {
      accessSync(path, constants.R_OK | constants.W_OK);
    } catch (error) {
      const { message } = error as Error;
      if (!process.getuid) return message; // Windows has no such owners
      return `${message}; it belongs to user ${statSync(path).uid}, and this process runs as user ${process.getuid()}`;
    }
  }
}

/** The folder, or the nearest one above it that exists. */
const nearest = (folder: string): string =>
  existsSync(folder) || dirname(folder) === folder ? folder : nearest(dirname(folder));

/**
 * Locks a data folder, which is made if it is missing, until the process ends or the lock is closed.
 * @returns undefined if another process holds a lock that excludes this one
 * @throws an error that names the path and its owner if the folder or the lock in it cannot be written
 */
export function lockData(folder: string, use: keyof typeof LOCKS): { close(): void } | undefined {
  const file = join(folder, LOCK_FILE);
  let connection: DatabaseSync | undefined;
  try {
    mkdirSync(folder, { recursive: true });
    connection = new DatabaseSync(file, { timeout: LOCK_WAIT });
    const opened = identityOf(file);
    // In memory: no journal beside the lock.
    connection.exec(`PRAGMA journal_mode = MEMORY; ${LOCKS[use]}`);
    held.add(connection);
    // A reset deletes the lock last: a lock on a file that is deleted excludes nobody.
    if (opened !== undefined && identityOf(file) === opened) return connection;
    connection.close();
  } catch (error) {
    connection?.close();
    if ((error as { errcode?: number }).errcode === SQLITE_BUSY) return undefined;
    throw new Error(whyDenied([nearest(folder), file]) ?? `${file}: ${(error as Error).message}`);
  }
}

/**
 * Opens a part's database, and locks its folder for the life of the process. Data that is in use by a command that replaces
 * it, or cannot be opened, ends the process with one line and exit code 1.
 */
export function openData(folder: string, part: string, migrations: readonly string[]): Database {
  const file = fileOf(folder, part);
  let why = `${folder} is being reset or restored: start ${part} when that is over.`;
  try {
    if (lockData(folder, 'use')) return openDatabase(file, migrations);
  } catch (error) {
    why = `${part} cannot use ${file}: ${whyDenied([folder, ...filesOf(folder, part)]) ?? (error as Error).message}`;
  }
  process.stderr.write(`${why}\n`);
  process.exit(1);
}
