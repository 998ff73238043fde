// The resources that a process uses, from Linux's /proc: memory and processor time, both independent of other load.
import { readFileSync } from 'node:fs';

const account = (pid: number, file: string) => readFileSync(`/proc/${pid}/${file}`, 'utf8');

/** Resident memory in KiB; memory shared with other processes counts in proportion (PSS). */
export const memoryOf = (pid: number): number => Number(/^Pss: +(\d+) kB/m.exec(account(pid, 'smaps_rollup'))?.[1]);

/** The processor time so far in milliseconds, with a resolution of 10 (proc_pid_stat(5): fields 14 and 15). */
export function processorTimeOf(pid: number): number {
  const fields = account(pid, 'stat')
    .replace(/^.*\) /, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

/** Samples memory until the returned function is called, which returns the maximum in KiB. */
export function watchMemory(pid: number): () => number {
  let most = 0;
  const look = () => {
    try {
      most = Math.max(most, memoryOf(pid));
    } catch {
      // the process has ended
    }
  };
  look();
  const timer = setInterval(look, 100);
  return () => {
    clearInterval(timer);
    look();
    return most;
  };
}
