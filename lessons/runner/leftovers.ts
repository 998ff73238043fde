// Deletes the folder of a lesson when its runner has ended, even by `kill -9`: a small process of its own, which only waits.
import { fork } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

/** Creates a temporary folder, which is deleted when this process has ended. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'blog lesson '));
  // In a group of its own: Ctrl-C does not reach it.
  const options = { stdio: 'ignore' as const, execArgv: [], detached: process.platform !== 'win32' };
  const watcher = fork(import.meta.filename, [folder], options);
  // Neither keeps this process alive.
  watcher.unref();
  watcher.channel?.unref();
  return folder;
}

export const remove = (folder: string) => rmSync(folder, { recursive: true, force: true, maxRetries: 5 });

if (process.argv[1] === import.meta.filename) {
  process.once('disconnect', async () => {
    const [, , folder = ''] = process.argv;
    // Programs that end at the same time may still write.
    for (let time = 0; time < 5; time++) {
      try {
        remove(folder);
      } catch {
        // once more
      }
      await pause(300);
    }
  });
}
