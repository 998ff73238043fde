// A real disk of a few megabytes, so that the file system itself runs full, without a mock.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

// Its input is a pipe from this process: it ends when we do, even by SIGKILL, and unmounts the disk.
const KEEP_MOUNTED = `
  mount -t tmpfs -o "size=$2,mode=0777" blog-test "$1" || { rmdir "$1"; exit 1; }
  echo mounted
  cat > /dev/null
  umount -l "$1" && rmdir "$1"
`;

/**
 * Mounts an in-memory file system of this size (as `16m`). Undefined if that is not possible: it takes Linux, and root
 * or `sudo` without a password. It is unmounted by `unmount()`, or when this process ends, however it ends.
 */
export async function mountSmallDisk(size: string) {
  if (process.platform !== 'linux') return undefined;
  const folder = mkdtempSync(join(tmpdir(), 'blog disk '));
  const shell = ['sh', '-c', KEEP_MOUNTED, 'sh', folder, size];
  const [program = '', ...args] = process.getuid?.() === 0 ? shell : ['sudo', '-n', ...shell];
  // A process group of its own: after Ctrl-C it ends by the closed pipe, after the processes that use the disk.
  const keeper = spawn(program, args, { stdio: ['pipe', 'pipe', 'ignore'], detached: true });
  const ended = once(keeper, 'close').catch(() => {}); // the program is missing
  const mounted = await Promise.race([once(keeper.stdout, 'data').then(() => true), ended.then(() => false)]);
  if (!mounted) {
    rmSync(folder, { recursive: true, force: true });
    return undefined;
  }

  // Does not keep this process alive; it ends with us.
  keeper.unref();
  for (const pipe of [keeper.stdin, keeper.stdout] as Socket[]) pipe.unref();

  const ballast = join(folder, 'ballast');
  return {
    folder,

    /** Uses up every free byte. */
    fill(): void {
      const file = openSync(ballast, 'a');
      try {
        for (const block = Buffer.alloc(64 * 1024); ; ) writeSync(file, block);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
      } finally {
        closeSync(file);
      }
    },

    /** Frees them again. */
    free: () => rmSync(ballast, { force: true }),

    /** Unmounts the disk, with all its data. */
    async unmount(): Promise<void> {
      keeper.ref();
      keeper.stdin.end();
      await ended;
    },
  };
}
