// What a process takes, by Linux's own account: memory, and time of the processor, which other load does not change.
import { readFileSync } from 'node:fs';

const account = (pid: number, file: string) => readFileSync(`/proc/${pid}/${file}`, 'utf8');

/** What is resident, in KiB; of what is shared with other processes only the part of this one. */
export const memoryOf = (pid: number): number => Number(/^Pss: +(\d+) kB/m.exec(account(pid, 'smaps_rollup'))?.[1]);

/** The processor's time so far, in milliseconds, to 10 (proc_pid_stat(5): fields 14 and 15). */
export function processorTimeOf(pid: number): number {
  const fields = account(pid, 'stat')
    .replace(/^.*\) /, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

/** Looks again and again; the function that it returns ends that and gives the most that was seen, in KiB. */
export function watchMemory(pid: number): () => number {
  let most = 0;
  const look = () => {
    try {
      most = Math.max(most, memoryOf(pid));
    } catch {
      // it has ended
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
