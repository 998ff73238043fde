// The logs of several copies of the bus: each is complete up to where it stands, and one may be ahead of the others.
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { fileOf, filesOf } from '@blog/common/run/data.ts';
import { copyFolders, makePartial, release } from './data-folder.ts';
import { flush } from './sync.ts';

const PART = 'event-bus';

/** Which log a file has, and its newest position; undefined if there is none, or it cannot be read. */
function logIn(file: string): { id: string; newest: number } | undefined {
  if (!existsSync(file)) return undefined;
  const db = new DatabaseSync(file, { readOnly: true, timeout: 5_000 });
  try {
    const row = db.prepare('SELECT id, (SELECT coalesce(max(position), 0) FROM events) AS newest FROM log').get();
    return { id: String(row?.id), newest: Number(row?.newest) };
  } catch {
    return undefined;
  } finally {
    db.close();
  }
}

/** The file of the first copy's log, or of another copy's if that has more of the same log. */
export function longestLog(dataDir: string): string {
  const own = fileOf(dataDir, PART);
  let longest = { file: own, id: '', newest: 0, ...logIn(own) };
  // A damaged log stays: the bus reports it.
  if (existsSync(own) && !longest.id) return own;
  for (const file of copyFolders(dataDir).map((folder) => fileOf(folder, PART))) {
    const { id, newest } = logIn(file) ?? { id: '', newest: 0 };
    // A log without events is a new one: the first copy's file was lost.
    const isSame = id === longest.id || longest.newest === 0;
    if (newest > longest.newest && isSame) longest = { file, id, newest };
  }
  return longest.file;
}

/** Replaces the log of a single bus, before it starts, by that of a copy which is ahead of it. The caller has the lock. */
export function adoptLongestLog(dataDir: string): void {
  const longest = longestLog(dataDir);
  if (longest === fileOf(dataDir, PART)) return;
  replaceLog(dataDir, dataDir, longest);
  console.log(`The bus goes on with the log of ${longest}, which is ahead of its own.`);
}

/**
 * Gives the first copy's log to those copies of the bus that have only its beginning. It may be ahead of the quorum, too, if the bus
 * ran alone: a copy without it could lead before it is there, and take other events in its place. The caller has the lock.
 */
export function shareFirstLog(dataDir: string, folders: string[]): void {
  const first = fileOf(dataDir, PART);
  const { newest = 0 } = logIn(first) ?? {};
  for (const folder of folders) {
    mkdirSync(folder, { recursive: true });
    if (newest > 0 && isBeginning(fileOf(folder, PART), first)) replaceLog(dataDir, folder, first);
  }
}

/** True if the log in a file ends before another one, and that one has the same event where it ends. */
function isBeginning(file: string, whole: string): boolean {
  if (!existsSync(file)) return true;
  const log = logIn(file);
  if (!log || log.newest === 0) return log !== undefined;
  const at = (path: string) => {
    const db = new DatabaseSync(path, { readOnly: true, timeout: 5_000 });
    try {
      return db.prepare('SELECT checksum FROM events WHERE position = ?').get(log.newest)?.checksum;
    } finally {
      db.close();
    }
  };
  return log.newest < (logIn(whole)?.newest ?? 0) && at(file) === at(whole);
}

/** Replaces the log in a folder by a copy of another one. */
function replaceLog(dataDir: string, folder: string, by: string): void {
  const [own = '', ...journals] = filesOf(folder, PART);
  const partial = makePartial(dataDir);
  try {
    const source = new DatabaseSync(by, { readOnly: true, timeout: 5_000 });
    source.prepare('VACUUM INTO ?').run(join(partial, basename(own)));
    source.close();
    flush(join(partial, basename(own)));
    release(PART, own);
    for (const journal of journals) rmSync(journal, { force: true });
    renameSync(join(partial, basename(own)), own);
    flush(folder);
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
}
