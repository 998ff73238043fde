// What processes take together. Where the system keeps no such account (not Linux), it is not measured.
import { memoryOf, processorTimeOf } from '../e2e/footprint.ts';

/** Looking at memory takes the processor a millisecond and more for each process. */
const LOOK_MS = 1_000;

function sum(pids: number[], of: (pid: number) => number): number | undefined {
  try {
    return pids.reduce((total, pid) => total + of(pid), 0);
  } catch {
    return undefined;
  }
}

/** From now on; `stop()` gives the processor's time in milliseconds, and the most memory that they had at once in MB. */
export function watchCost(pids: number[]) {
  const before = sum(pids, processorTimeOf);
  let most = 0;
  const look = () => {
    const memory = sum(pids, memoryOf);
    if (memory === undefined) clearInterval(timer); // not Linux, or they have ended
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
