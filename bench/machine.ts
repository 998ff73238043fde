// Describes the machine, without which figures mean nothing.
import { spawnSync } from 'node:child_process';
import { readFileSync, realpathSync } from 'node:fs';
import { availableParallelism, cpus, totalmem, type } from 'node:os';

/** The file system of a directory, and its device; on Linux only. */
function diskOf(directory: string): string {
  try {
    const mounts = readFileSync('/proc/self/mounts', 'utf8').trimEnd().split('\n');
    const [device = '', , system] = mounts
      .map((line) => line.split(' '))
      .filter(([, point = '']) => `${realpathSync(directory)}/`.startsWith(point === '/' ? '/' : `${point}/`))
      .reduce((best, one) => ((one[1]?.length ?? 0) >= (best[1]?.length ?? 0) ? one : best));
    return `${system} on ${device}`;
  } catch {
    return 'not told';
  }
}

export function describeMachine(directory: string) {
  const { stdout } = spawnSync('git', ['describe', '--always', '--dirty'], {
    cwd: import.meta.dirname,
    encoding: 'utf8',
  });
  return {
    cores: availableParallelism(),
    cpu: cpus()[0]?.model ?? 'unknown',
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    disk: diskOf(directory),
    system: type(),
    node: process.version,
    commit: stdout?.trim() || 'unknown',
    date: new Date().toISOString(),
  };
}
export type Machine = ReturnType<typeof describeMachine>;
