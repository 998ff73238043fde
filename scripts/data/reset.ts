// `npm run reset`: deletes all posts, comments and events: the blog's own files in its folder, and nothing else. Exit
// code 0: they are deleted, 1: they are not, 2: wrong usage.
import { existsSync, readdirSync, rmdirSync, rmSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { dataDirOf, dataOption, optionsOrUsage } from '../lib/usage.ts';
import { contentOf, lockAlone } from './data-folder.ts';

const dataDir = optionsOrUsage(
  () => dataDirOf(parseArgs({ options: { data: dataOption } }).values.data),
  'Usage: npm run reset -- [--data DIR]',
);

/** Deletes a folder if nothing is left in it. A symbolic link or a mounted disk stays. */
function removeEmpty(folder: string): void {
  try {
    if (readdirSync(folder).length === 0) rmdirSync(folder);
  } catch {
    // It stays, empty.
  }
}

/** @returns the names left in the folder, because they are not the blog's */
function reset(): string[] {
  const lock = lockAlone(dataDir, 'reset');
  const { files, trees, locks, folders } = contentOf(dataDir);
  for (const file of files) rmSync(file, { force: true });
  for (const tree of trees) rmSync(tree, { recursive: true, force: true });
  // The locks are deleted while they are held, so that nothing can start meanwhile. Windows deletes no open file.
  if (process.platform === 'win32') lock.close();
  for (const file of locks) rmSync(file, { force: true });
  for (const folder of folders) removeEmpty(folder);
  const left = readdirSync(dataDir);
  removeEmpty(dataDir);
  return left;
}

try {
  const found = existsSync(dataDir);
  const left = found ? reset() : [];
  console.log(
    found ? `Deleted: all posts, comments and events in ${dataDir}.` : `Nothing to delete: there is no ${dataDir}.`,
  );
  if (left.length > 0) console.log(`Not the blog's, and left there: ${left.join(', ')}.`);
} catch (error) {
  console.error(`Not reset: ${(error as Error).message}.`);
  process.exitCode = 1;
}
