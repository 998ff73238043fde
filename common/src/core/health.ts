// The health of an open database: errors that its file and its disk have caused, and whether the file is still in its place.
import { realpathSync, statSync } from 'node:fs';
import { databaseProblem, isReadOnly, isUnreadable, Moved } from './sqlite.ts';

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
  /** The reason for which the last commit failed. */
  failure: string | undefined;
  /** True if it failed because the file could only be read when its connection was opened. */
  isReadOnly = false;
  /** The paths of the database, of its WAL and of the WAL's index, each with the identity of its file. */
  #opened = new Map<string, string | undefined>();

  /** Remembers the files that are open now. SQLite keeps the WAL beside the file that a link leads to. */
  opened(file: string): void {
    const target = realpathSync(file);
    for (const path of [file, `${target}-wal`, `${target}-shm`]) this.#opened.set(path, identityOf(path));
  }

  /** The trouble with the disk or the file: as of now if it was deleted or replaced, else as of the last commit. */
  get trouble(): string | undefined {
    return this.#isInPlace() ? this.failure : new Moved().message;
  }

  /** @throws Moved if the file was deleted or replaced: writes to it are lost with this process */
  assertInPlace(): void {
    if (!this.#isInPlace()) throw new Moved();
  }

  /** True if the paths still lead to the open files. It costs 2 µs a file. */
  #isInPlace(): boolean {
    return this.#opened.entries().every(([path, identity]) => !identity || identityOf(path) === identity);
  }

  /** Looks whether an error says that something stored cannot be read back. */
  notice(error: unknown): void {
    if (isUnreadable(error)) this.damage = 'The database is damaged: a page of its file cannot be read.';
  }

  /** Notes why a commit failed. */
  failed(error: unknown): void {
    this.notice(error);
    this.failure = databaseProblem(error)?.message ?? 'The last commit failed.';
    this.isReadOnly = isReadOnly(error);
  }
}
