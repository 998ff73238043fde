// The data of a server: its database, in a folder that it may share with the other parts.
import { join } from 'node:path';
import { type Database, openDatabase } from '../core/database.ts';
import { lockData, whyDenied } from './lock.ts';

/** The database of a part. */
export const fileOf = (folder: string, part: string): string => join(folder, `${part}.db`);

/** The database of a part, and the files that SQLite keeps beside it. */
export const filesOf = (folder: string, part: string): string[] =>
  ['', '-wal', '-shm', '-journal'].map((suffix) => fileOf(folder, part) + suffix);

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
