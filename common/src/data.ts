// The data of a server: its database, in a folder that it may share with the other parts.
import { join } from 'node:path';
import { type Database, openDatabase } from './database.ts';
import { lockData } from './lock.ts';

/**
 * Opens a part's database, and locks its folder for the life of the process. Data that is in use by a command that replaces
 * it, or cannot be opened, ends the process with one line and exit code 1.
 */
export function openData(folder: string, part: string, migrations: readonly string[]): Database {
  if (!lockData(folder, 'use')) {
    process.stderr.write(`${folder} is being reset or restored: start ${part} when that is over.\n`);
    process.exit(1);
  }
  return openDatabase(join(folder, `${part}.db`), migrations);
}
