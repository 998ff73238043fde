// The blog's files in a data folder, and the lock for a command that deletes or replaces them.
import { mkdtempSync, readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { filesOf } from '@blog/common/run/data.ts';
import { LOCK_FILE, lockData } from '@blog/common/run/lock.ts';
import { inBackup } from './parts.ts';

/** The parts that keep data. */
export const withData = ['query', ...inBackup];

const PARTIAL = 'restore.partial-';

/** A fresh folder for a restore: beside what it replaces, so that each file then takes its place in one step. */
export const makePartial = (dataDir: string): string => mkdtempSync(join(dataDir, PARTIAL));

/** Recognises what an interrupted restore left: the only folder among what is the blog's. */
export const isPartial = (path: string): boolean => basename(path).startsWith(PARTIAL);

/** All that is the blog's in there, as paths; the lock, under which the others may be deleted, comes last. */
export function filesIn(dataDir: string): string[] {
  const partial = readdirSync(dataDir).filter((name) => name.startsWith(PARTIAL));
  return [
    ...withData.flatMap((part) => filesOf(dataDir, part)),
    ...partial.map((name) => join(dataDir, name)),
    join(dataDir, LOCK_FILE),
  ];
}

/**
 * Locks the data: nothing else has it open, and nothing can be started meanwhile.
 * @throws if anything runs on this data
 */
export function lockAlone(dataDir: string, script: string) {
  const lock = lockData(dataDir, 'replace');
  if (lock) return lock;
  // Beside parts alone, a runner could start now.
  const byHand = lockData(dataDir, 'run');
  byHand?.unlock();
  const what = byHand
    ? `A part that was started by hand, or a backup, uses the data in ${dataDir}: end it first`
    : 'The blog is running: stop it first (Ctrl-C in its terminal)';
  throw new Error(`${what}, then npm run ${script}`);
}
