// The logs of several copies of the bus: each is complete up to where it stands, and one may be ahead of the others.
import { existsSync, renameSync, rmSync } from 'node:fs';
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
  const [own = '', ...journals] = filesOf(dataDir, PART);
  if (longest === own) return;
  const partial = makePartial(dataDir);
  try {
    const source = new DatabaseSync(longest, { readOnly: true, timeout: 5_000 });
    source.prepare('VACUUM INTO ?').run(join(partial, basename(own)));
    source.close();
    flush(join(partial, basename(own)));
    release(PART, own);
    for (const journal of journals) rmSync(journal, { force: true });
    renameSync(join(partial, basename(own)), own);
    flush(dataDir);
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
  console.log(`The bus goes on with the log of ${longest}, which is ahead of its own.`);
}
