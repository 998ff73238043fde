// `npm run backup -- DIR`: a consistent copy of all data, with the parts running or stopped. Exit code 0: the backup is
// complete and on disk, 1: it failed, 2: wrong usage.
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { openDatabase } from '@blog/common/core/database.ts';
import { fileOf, lockData } from '@blog/common/run/data.ts';
import { verifyLog } from '../../event-bus/src/integrity.ts';
import { migrations } from '../../event-bus/src/schema.ts';
import { foldersOrUsage } from '../lib/usage.ts';
import { inBackup } from './data-folder.ts';
import { longestLog } from './logs.ts';
import { flush } from './sync.ts';

const USAGE = 'Usage: npm run backup -- DIR [--data DIR]';

/** Copies one database as a snapshot; writers continue meanwhile. */
async function copy(part: string, from: string, to: string): Promise<void> {
  const source = new DatabaseSync(from, { readOnly: true, timeout: 5_000 });
  try {
    source.prepare('VACUUM INTO ?').run(to);
  } finally {
    source.close();
  }
  const content = part === 'event-bus' ? await contentOfLog(to) : '';
  flush(to);
  console.log(`${part}: ${Math.ceil(statSync(to).size / 1024)} KiB${content}`);
}

/** Verifies the copied log: a damaged copy is useless, which otherwise would show only when it is needed. */
async function contentOfLog(file: string): Promise<string> {
  const db = openDatabase(file, migrations);
  const verdict = await verifyLog(db).finally(() => db.close());
  if (!verdict.ok) throw new Error(`the log is damaged at position ${verdict.position}: ${verdict.reason}`);
  return `, the log up to position ${verdict.events}`;
}

const { folder, dataDir } = foldersOrUsage(USAGE);

async function backUp(): Promise<void> {
  const parts = inBackup.filter((part) => existsSync(fileOf(dataDir, part)));
  if (!parts.includes('event-bus')) throw new Error(`There is no log in ${dataDir}: nothing to copy.`);
  if (!lockData(dataDir, 'use')) throw new Error(`${dataDir} is being reset or restored.`);
  if (existsSync(folder) && readdirSync(folder).length > 0)
    throw new Error(`${folder} is not empty: name a new folder.`);
  mkdirSync(folder, { recursive: true });
  // Created exclusively, so that of two backups started at the same time one fails. The copies are renamed when all are
  // on disk.
  const partial = join(folder, 'partial');
  mkdirSync(partial);
  try {
    for (const part of parts) {
      const source = part === 'event-bus' ? longestLog(dataDir) : fileOf(dataDir, part);
      await copy(part, source, fileOf(partial, part));
    }
    for (const part of parts) renameSync(fileOf(partial, part), fileOf(folder, part));
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
  flush(folder);
  console.log(`Copied to ${folder}. Put back with: npm run restore -- "${folder}"`);
}

await backUp().catch((error) => {
  console.error(`No backup: ${error.message}`);
  process.exitCode = 1;
});
