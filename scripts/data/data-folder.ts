// The blog's files in a data folder, and the lock for commands that delete or replace them.
import { mkdtempSync, readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { filesOf, LOCK_FILE, lockData } from '@blog/common/run/data.ts';
import { SERVICES } from '@blog/common/run/parts.ts';

/**
 * The parts whose databases are backed up, in the order of copying. The bus comes last, so that no checkpoint is ahead
 * of the copied log, and events that have left an outbox meanwhile are in it. Query's is rebuilt from the log.
 */
export const inBackup: string[] = [...SERVICES.filter((name) => name !== 'query'), 'event-bus'];

/** The parts that keep data. */
export const withData = ['query', ...inBackup];

const PARTIAL = 'restore.partial-';

/**
 * Makes a fresh folder for a restore, on the same disk as the files it replaces, so that each is replaced atomically.
 */
export const makePartial = (dataDir: string): string => mkdtempSync(join(dataDir, PARTIAL));

/** Recognises the folder that an interrupted restore left. */
export const isPartial = (path: string): boolean => basename(path).startsWith(PARTIAL);

/**
 * The paths of all the blog's files in a folder. The lock comes last, because the others may be deleted only under it.
 */
export function filesIn(dataDir: string): string[] {
  const partial = readdirSync(dataDir).filter((name) => name.startsWith(PARTIAL));
  return [
    ...withData.flatMap((part) => filesOf(dataDir, part)),
    ...partial.map((name) => join(dataDir, name)),
    join(dataDir, LOCK_FILE),
  ];
}

/**
 * Locks the data exclusively: no other process has it open, and none can be started meanwhile.
 * @throws if anything runs on this data
 */
export function lockAlone(dataDir: string, script: string) {
  const lock = lockData(dataDir, 'replace');
  if (lock) return lock;
  // Next to parts started by hand a runner could still start, so its lock is taken too.
  const byHand = lockData(dataDir, 'run');
  byHand?.close();
  const what = byHand
    ? `A part that was started by hand, or a backup, uses the data in ${dataDir}: end it first`
    : 'The blog is running: stop it first (Ctrl-C in its terminal)';
  throw new Error(`${what}, then npm run ${script}`);
}
