// A disk of a few megabytes, a real one: what happens when it is full happens at the file system, not in a mock.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

// Its input is a pipe from us: that ends when we do, even by SIGKILL, and takes the mount with it.
const KEEP_MOUNTED = `
  mount -t tmpfs -o "size=$2,mode=0777" blog-test "$1" || { rmdir "$1"; exit 1; }
  echo mounted
  cat > /dev/null
  umount -l "$1" && rmdir "$1"
`;

/**
 * Mounts a file system in memory of this size (as `16m`). Undefined where that cannot be had: it takes Linux, and root or
 * `sudo` without a password. It is gone after `unmount()`, and at the latest when this process ends, however it ends.
 */
export async function mountSmallDisk(size: string) {
  if (process.platform !== 'linux') return undefined;
  const folder = mkdtempSync(join(tmpdir(), 'blog disk '));
  const shell = ['sh', '-c', KEEP_MOUNTED, 'sh', folder, size];
  const [program = '', ...args] = process.getuid?.() === 0 ? shell : ['sudo', '-n', ...shell];
  // A group of its own: a Ctrl-C reaches it by the end of the pipe, after everybody who uses the disk.
  const keeper = spawn(program, args, { stdio: ['pipe', 'pipe', 'ignore'], detached: true });
  const ended = once(keeper, 'close').catch(() => {}); // no such program
  const mounted = await Promise.race([once(keeper.stdout, 'data').then(() => true), ended.then(() => false)]);
  if (!mounted) {
    rmSync(folder, { recursive: true, force: true });
    return undefined;
  }

  // Nobody has to wait for it: it ends with us.
  keeper.unref();
  for (const pipe of [keeper.stdin, keeper.stdout] as Socket[]) pipe.unref();

  const ballast = join(folder, 'ballast');
  return {
    folder,

    /** Takes every free byte. */
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

    /** Gives them back. */
    free: () => rmSync(ballast, { force: true }),

    /** Takes the disk away, with all that is on it. */
    async unmount(): Promise<void> {
      keeper.ref();
      keeper.stdin.end();
      await ended;
    },
  };
}
