// The blog's files in a data folder, and the lock for commands that delete or replace them.
import { existsSync, mkdtempSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { filesOf, LOCK_FILE, lockData } from '@blog/common/run/data.ts';
import { PARTS, SERVICES } from '@blog/common/run/parts.ts';
import { NODE_CONFIG, NODE_STORE } from '../lib/nats.ts';

/**
 * The parts whose databases are backed up, in the order of copying. The bus comes last, so that no checkpoint is ahead
 * of the copied log, and events that have left an outbox meanwhile are in it. Query's is rebuilt from the log.
 */
export const inBackup: string[] = [...SERVICES.filter((name) => name !== 'query'), 'event-bus'];

/** The parts that keep data. */
export const withData = ['query', ...inBackup];

/**
 * Only a reset touches the database of auth. A backup of it would hold the keys that sign, and a restore would revive sessions that
 * were ended since; posts and comments have their authors themselves.
 */
export const NOT_COPIED = 'auth';

/** The folder of the log files of `npm start -- --logs`, in the data folder. */
export const LOG_FOLDER = 'logs';

/** The files `posts.log`, `posts-1.log.2`, …: those of parts, the balancer and NATS. */
function logFiles(dataDir: string): string[] {
  const folder = join(dataDir, LOG_FOLDER);
  const ours = new RegExp(`^(${[...PARTS, 'auth', 'issuer', 'balancer', 'nats'].join('|')})(-\\d+)?\\.log(\\.\\d+)?$`);
  return existsSync(folder)
    ? readdirSync(folder)
        .filter((name) => ours.test(name))
        .map((name) => join(folder, name))
    : [];
}

const PARTIAL = 'restore.partial-';

/**
 * Makes a fresh folder for a restore, on the same disk as the files it replaces, so that each is replaced atomically.
 */
export const makePartial = (dataDir: string): string => mkdtempSync(join(dataDir, PARTIAL));

const foldersIn = (dataDir: string, pattern: RegExp): string[] =>
  readdirSync(dataDir, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && pattern.test(entry.name))
    .map((entry) => join(dataDir, entry.name));

/** The folders of further copies, `copy-1` …; the first copy's files are in the data folder itself. */
export const copyFolders = (dataDir: string): string[] => foldersIn(dataDir, /^copy-[1-9]\d*$/);

/** The stores of the nodes of NATS: the log, until it is published into a new stream from a copy of the bus. */
export const nodeStores = (dataDir: string): string[] =>
  foldersIn(dataDir, /^nats-\d+$/).map((folder) => join(folder, NODE_STORE));

/** The folders of `npm start -- --bus`: what the services had with another bus, and all that this bus has written. */
const lessonFolders = (dataDir: string): string[] =>
  foldersIn(dataDir, /^lesson-/).filter((folder) => existsSync(join(folder, LOCK_FILE)));

/** The databases of all further copies, which they rebuild from the log. */
export const filesOfCopies = (dataDir: string): string[] =>
  copyFolders(dataDir).flatMap((folder) => withData.flatMap((part) => filesOf(folder, part)));

/** The paths of everything in a folder that is the blog's, in the order in which it may be deleted. */
export function contentOf(dataDir: string) {
  const copies = copyFolders(dataDir);
  const nodes = nodeStores(dataDir).map(dirname);
  const partial = readdirSync(dataDir).filter((name) => name.startsWith(PARTIAL));
  return {
    files: [
      ...[...withData, NOT_COPIED].flatMap((part) => filesOf(dataDir, part)),
      ...filesOfCopies(dataDir),
      ...logFiles(dataDir),
      ...nodes.map((folder) => join(folder, NODE_CONFIG)),
    ],
    /** Folders of which everything is the blog's. */
    trees: [...nodeStores(dataDir), ...lessonFolders(dataDir), ...partial.map((name) => join(dataDir, name))],
    /** The others may be deleted only under these locks. */
    locks: [...copies, dataDir].map((folder) => join(folder, LOCK_FILE)),
    /** Folders that may have files in them that are not the blog's. */
    folders: [...copies, ...nodes, join(dataDir, LOG_FOLDER)],
  };
}

/** The paths of all the blog's files in a folder. */
export const filesIn = (dataDir: string): string[] => Object.values(contentOf(dataDir)).flat();

/**
 * Locks the data exclusively, that of further copies too: no other process has it open, and none can be started meanwhile.
 * @throws if anything runs on this data
 */
export function lockAlone(dataDir: string, script: string) {
  const lock = lockData(dataDir, 'replace');
  if (!lock) {
    // Next to parts started by hand a runner could still start, so its lock is taken too.
    const byHand = lockData(dataDir, 'run');
    byHand?.close();
    throw byHand
      ? usedByHand(dataDir, script)
      : new Error(`The blog is running: stop it first (Ctrl-C in its terminal), then npm run ${script}`);
  }
  const locks = copyFolders(dataDir).map((folder) => {
    const copy = lockData(folder, 'replace');
    if (!copy) throw usedByHand(folder, script);
    return copy;
  });
  return {
    close(): void {
      for (const held of [...locks, lock]) held.close();
    },
  };
}

const usedByHand = (folder: string, script: string) =>
  new Error(
    `A part that was started by hand, or a backup, uses the data in ${folder}: end it first, then npm run ${script}`,
  );

const SQLITE_BUSY = 5;

/**
 * Makes sure that no process has the database open, and checkpoints its write-ahead log: SQLite would apply an old one
 * to the new file.
 */
export function release(part: string, file: string): void {
  if (!existsSync(file)) return;
  const db = new DatabaseSync(file, { timeout: 0 });
  try {
    db.exec('PRAGMA journal_mode = DELETE');
  } catch (error) {
    // Other damage does not matter: the file is replaced.
    if ((error as { errcode?: number }).errcode === SQLITE_BUSY)
      throw new Error(`${file} is in use: stop ${part}, which was started by hand`);
  } finally {
    db.close();
  }
}
