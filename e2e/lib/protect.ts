// Makes files and folders read-only even for root, for whom permission bits have no effect.
import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { chmodSync, realpathSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export function setWritable(path: string, writable: boolean): void {
  const bits = statSync(path).isDirectory() ? 0o111 : 0;
  if (process.getuid?.() === 0) execFileSync('chattr', [writable ? '-i' : '+i', realpathSync(path)]);
  else chmodSync(path, bits | (writable ? 0o644 : 0o444));
}

/** False if it is not possible: for root it takes Linux, and a file system with such flags. */
export function canProtect(folder: string): boolean {
  const file = join(folder, `blog probe ${randomUUID()}`);
  writeFileSync(file, '');
  try {
    setWritable(file, false);
    setWritable(file, true);
    return true;
  } catch {
    return false;
  } finally {
    rmSync(file);
  }
}
