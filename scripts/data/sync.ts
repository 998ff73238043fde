// Flushes files and folders to disk.

import { closeSync, fsyncSync, openSync, statSync } from 'node:fs';

/**
 * Waits until a file, or a folder's entries, are on disk (fsync). Windows cannot do it for folders, and does it by
 * itself.
 */
export function flush(path: string): void {
  const isFolder = statSync(path).isDirectory();
  if (isFolder && process.platform === 'win32') return;
  const descriptor = openSync(path, isFolder ? 'r' : 'r+');
  fsyncSync(descriptor);
  closeSync(descriptor);
}
