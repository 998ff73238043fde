// Ends the programs and deletes the folders of a grade, or of a lesson, when the command is gone, even by `kill -9`: a small
// process of its own, which only waits.
import { type ChildProcess, fork } from 'node:child_process';
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { killProcesses, processesOf } from './processes.ts';

/** The begin of the marks of all programs that this process starts. */
export const ownMark = `${process.pid}-`;

let watcher: ChildProcess | undefined;

/** Creates a temporary folder, which is deleted when this process has ended, together with the programs that work in it. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(realpathSync(tmpdir()), 'blog-lesson-'));
  if (!watcher?.connected) {
    // In a group of its own: Ctrl-C does not reach it.
    const options = { stdio: 'ignore' as const, execArgv: [], detached: process.platform !== 'win32' };
    watcher = fork(import.meta.filename, [ownMark], options);
    // Neither keeps this process alive.
    watcher.unref();
    watcher.channel?.unref();
  }
  watcher.send({ folder });
  return folder;
}

/** Kills a process group when this process has ended: where the system does not show the mark. The function returned undoes it. */
export function endWithGrader(group: number): () => void {
  if (watcher?.connected) watcher.send({ group });
  return () => void (watcher?.connected && watcher.send({ ended: group }));
}

export const remove = (folder: string) => rmSync(folder, { recursive: true, force: true, maxRetries: 5 });

if (process.argv[1] === import.meta.filename) {
  const [, , mark = ''] = process.argv;
  const folders = new Set<string>();
  const groups = new Set<number>();
  process.on('message', ({ folder, group, ended }: { folder?: string; group?: number; ended?: number }) => {
    if (folder) folders.add(folder);
    if (group) groups.add(group);
    if (ended) groups.delete(ended);
  });
  process.once('disconnect', async () => {
    killProcesses(Array.from(groups, (group) => -group));
    for (let pids = processesOf(mark, [...folders]); pids.length > 0; pids = processesOf(mark, [...folders])) {
      killProcesses(pids);
      await pause(5);
    }
    for (const folder of folders) remove(folder);
  });
}
