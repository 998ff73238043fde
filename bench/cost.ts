// The resources that several processes use together. Measured only on Linux, which accounts for them.
import { memoryOf, processorTimeOf } from '../e2e/lib/footprint.ts';

/** The sampling interval: reading a process's memory takes a millisecond of processor time or more. */
const LOOK_MS = 1_000;

function sum(pids: number[], of: (pid: number) => number): number | undefined {
  try {
    return pids.reduce((total, pid) => total + of(pid), 0);
  } catch {
    return undefined;
  }
}

/**
 * Measures from now on; `stop()` returns the processor time in milliseconds, and the peak of their total memory in MB.
 */
export function watchCost(pids: number[]) {
  const before = sum(pids, processorTimeOf);
  let most = 0;
  const look = () => {
    const memory = sum(pids, memoryOf);
    if (memory === undefined) clearInterval(timer); // not Linux, or the processes have ended
    most = Math.max(most, ((memory ?? Number.NaN) * 1024) / 1e6);
  };
  const timer = setInterval(look, LOOK_MS);
  look();
  return {
    stop(): { processor: number | undefined; memory: number | undefined } {
      clearInterval(timer);
      look();
      const after = sum(pids, processorTimeOf);
      return {
        processor: before === undefined || after === undefined ? undefined : after - before,
        memory: Number.isNaN(most) ? undefined : most,
      };
    },
  };
}
