// How much memory a process has.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** Of this process alone what is resident, in KiB: on Linux without what it shares with others. Not on Windows. */
export function memoryOf(pid: number): number {
  if (process.platform !== 'linux')
    return Number(execFileSync('ps', ['-o', 'rss=', '-p', String(pid)], { encoding: 'utf8' }));
  return Number(/^Pss: +(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1]);
}

/** Looks again and again; the function that it returns ends that and gives the most that was seen, in KiB. */
export function watchMemory(pid: number): () => number {
  let most = 0;
  const look = () => {
    most = Math.max(most, memoryOf(pid));
  };
  look();
  const timer = setInterval(look, 100);
  return () => {
    clearInterval(timer);
    look();
    return most;
  };
}
