// The resources that an idle blog uses.
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { SERVERS } from '@blog/common/run/parts.ts';
import { processorTimeOf } from '../../e2e/lib/footprint.ts';
import { type Figure, NotMeasured } from '../figure.ts';
import { startNaive, startOurs } from '../processes.ts';

/** The number of voluntary context switches of the process's threads: each means a wake-up (proc_pid_status(5)). */
function wakeUpsOf(pid: number): number {
  const threads = readdirSync(`/proc/${pid}/task`);
  const statuses = threads.map((thread) => readFileSync(`/proc/${pid}/task/${thread}/status`, 'utf8'));
  return statuses.reduce((sum, status) => sum + Number(/^voluntary_ctxt_switches:\s+(\d+)/m.exec(status)?.[1]), 0);
}

export const idle: Figure = {
  name: 'idle',
  title: 'nothing happens, after ten seconds in which nothing happened',
  sides: ['naive', 'ours'],
  units: { processor: '% of a core, all five', 'wake-ups of the bus': '/s', 'wake-ups': '/s, all five' },

  async measure({ side, directory, quick }) {
    if (process.platform !== 'linux') throw new NotMeasured('only Linux keeps this account');
    const { pids } = await (side === 'ours' ? startOurs(directory) : startNaive());
    const bus = pids[SERVERS.indexOf('event-bus')] as number;
    await pause(quick ? 2_000 : 10_000);
    const look = () => ({
      at: performance.now(),
      processor: pids.reduce((sum, pid) => sum + processorTimeOf(pid), 0),
      bus: wakeUpsOf(bus),
      all: pids.reduce((sum, pid) => sum + wakeUpsOf(pid), 0),
    });
    const before = look();
    await pause(quick ? 5_000 : 20_000);
    const after = look();
    const ms = after.at - before.at;
    return {
      processor: (100 * (after.processor - before.processor)) / ms,
      'wake-ups of the bus': ((after.bus - before.bus) * 1_000) / ms,
      'wake-ups': ((after.all - before.all) * 1_000) / ms,
    };
  },

  goals: [{ text: 'processor, % of a core', of: ({ ours }) => ours?.processor, atMost: 1 }],
};
