// The health of an open database: errors that its file and its disk have caused, and whether the file is still in its place.
import { realpathSync, statSync } from 'node:fs';
import { databaseProblem, isReadOnly, isUnreadable, movedError } from './sqlite.ts';

/** Identifies the file that a path leads to (device and inode); undefined if it leads to none. */
export function identityOf(path: string): string | undefined {
  try {
    const { dev, ino } = statSync(path, { bigint: true });
    return `${dev}-${ino}`;
  } catch {
    return undefined;
  }
}

export class Health {
  /** Set when something stored could not be read back: for good, because only a person can mend the file. */
  damage: string | undefined;
  /** True after a write was refused because the file could only be read when its connection was opened. */
  readOnly = false;
  #trouble: string | undefined;
  #file: string;
  /** The paths of the database, of its WAL and of the WAL's index, each with the identity of its file. */
  #opened: [path: string, identity: string][] = [];

  constructor(file: string) {
    this.#file = file;
  }

  /** Remembers the files that are open now. SQLite keeps the WAL beside the file that a link leads to. */
  opened(): void {
    const target = realpathSync(this.#file);
    const paths = [this.#file, `${target}-wal`, `${target}-shm`];
    this.#opened = paths
      .map((path): [string, string] => [path, identityOf(path) ?? ''])
      .filter(([, identity]) => identity);
    this.readOnly = false;
  }

  /**
   * Checks that the paths still lead to the open files: writes to a deleted file are lost with this process. It costs 2 µs a file.
   * @throws an error of SQLite's, SQLITE_READONLY_DBMOVED, if they do not
   */
  assertInPlace(): void {
    for (const [path, identity] of this.#opened) if (identityOf(path) !== identity) throw movedError();
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

  /** Looks whether an error says that something stored cannot be read back. */
  notice(error: unknown): void {
    if (isUnreadable(error)) this.damage = 'The database is damaged: a page of its file cannot be read.';
  }

  failed(error: unknown): void {
    this.notice(error);
    this.#trouble = databaseProblem(error)?.message ?? 'The last commit failed.';
    this.readOnly = isReadOnly(error);
  }

  recovered(): void {
    this.#trouble = undefined;
  }
}
