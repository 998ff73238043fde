// `npm run restore -- DIR`: restores a backup of `npm run backup`, while nothing runs. Exit code 0: it is restored, 1:
// it is not, 2: wrong usage.
import { copyFileSync, existsSync, renameSync, rmSync, statSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { openDatabase } from '@blog/common/core/database.ts';
import { fileOf, filesOf } from '@blog/common/run/data.ts';
import { migrations as comments } from '../../comments/src/schema.ts';
import { verifyLog } from '../../event-bus/src/integrity.ts';
import { forgetPlace } from '../../event-bus/src/quorum/joining.ts';
import { migrations as eventBus } from '../../event-bus/src/schema.ts';
import { orderReplays } from '../../event-bus/src/subscription.ts';
import { migrations as moderation } from '../../moderation/src/schema.ts';
import { migrations as posts } from '../../posts/src/schema.ts';
import { foldersOrUsage } from '../lib/usage.ts';
import { filesOfCopies, inBackup, lockAlone, makePartial, nodeStores, release, withData } from './data-folder.ts';
import { flush } from './sync.ts';

const USAGE = 'Usage: npm run restore -- DIR [--data DIR]';
const schemas: Record<string, readonly string[]> = { posts, comments, moderation, 'event-bus': eventBus };

const { folder, dataDir } = foldersOrUsage(USAGE);

/** @throws if a copy is damaged, or of a newer version */
function check(part: string, copy: string): void {
  const db = new DatabaseSync(copy, { readOnly: true });
  try {
    const version = Number(db.prepare('PRAGMA user_version').get()?.user_version);
    const known = (schemas[part] as string[]).length;
    if (version < 1 || version > known) throw new Error(`its schema, ${version}, is not known here (1 to ${known})`);
    const [found] = Object.values(db.prepare('PRAGMA integrity_check(1)').get() ?? {});
    if (found !== 'ok') throw new Error(`it is damaged: ${found}`);
  } catch (error) {
    throw new Error(`the copy of ${part} cannot be used: ${(error as Error).message}`);
  } finally {
    db.close();
  }
}

/**
 * Resets the subscriptions: each starts again at the first event, and each owner publishes again what the log may lack.
 */
async function prepareLog(copy: string): Promise<number> {
  const db = openDatabase(copy, eventBus);
  try {
    const verdict = await verifyLog(db);
    if (!verdict.ok) throw new Error(`the copied log is damaged at position ${verdict.position}: ${verdict.reason}`);
    await db.write(orderReplays);
    // Its place in a stream that is no longer there; the first copy makes a new one.
    await forgetPlace(db);
    return verdict.events;
  } finally {
    await db.close();
  }
}

/** Replaces the file by its copy. A part without a copy starts empty, and gets its data back from the log. */
function replace(part: string, copy: string): void {
  const [file = '', ...journals] = filesOf(dataDir, part);
  for (const journal of journals) rmSync(journal, { force: true });
  if (existsSync(copy)) renameSync(copy, file);
  else rmSync(file, { force: true });
  flush(dataDir);
}

let begun = false;

/** Checks and prepares the copies in `ready`, a fresh folder, then moves each over the file it replaces. */
async function restore(ready: string): Promise<void> {
  const copyOf = (part: string) => fileOf(ready, part);
  if (!existsSync(fileOf(folder, 'event-bus'))) throw new Error(`there is no complete backup in ${folder}`);
  const parts = inBackup.filter((part) => existsSync(fileOf(folder, part)));
  for (const part of parts) {
    const journal = statSync(`${fileOf(folder, part)}-wal`, { throwIfNoEntry: false });
    if (journal?.size) throw new Error(`${folder} was not made by npm run backup: ${part} has a journal there`);
    copyFileSync(fileOf(folder, part), copyOf(part));
    check(part, copyOf(part));
  }
  const newest = await prepareLog(copyOf('event-bus'));
  for (const part of parts) flush(copyOf(part));

  for (const part of withData) release(part, fileOf(dataDir, part));
  begun = true;
  // Further copies, and the nodes of NATS, get everything from the log: the first copy of the bus publishes it again.
  for (const file of filesOfCopies(dataDir)) rmSync(file, { force: true });
  for (const store of nodeStores(dataDir)) rmSync(store, { recursive: true, force: true });
  // The bus comes last: until then the old log exists, from which the services get what their copies lack.
  for (const part of withData) replace(part, copyOf(part));
  console.log(`Restored ${parts.join(', ')}, with a log up to position ${newest}; query is rebuilt.`);
  console.log('At the next start everything is delivered again.');
}

let ready: string | undefined;
try {
  lockAlone(dataDir, 'restore');
  ready = makePartial(dataDir);
  await restore(ready);
} catch (error) {
  const { message } = error as Error;
  console.error(`Not restored: ${message}.${begun ? ' Some files are replaced: restore again.' : ''}`);
  process.exitCode = 1;
} finally {
  if (ready) rmSync(ready, { recursive: true, force: true });
}
