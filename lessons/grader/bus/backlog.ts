// Step 3: a long backlog, and the memory of the bus while it is delivered.
import http from 'node:http';
import { type Check, Failed } from '../check.ts';
import { keyOf } from '../events.ts';
import { memoryOf } from '../processes.ts';
import { startBus } from './stage.ts';

/** The growth of memory that is allowed while a backlog is delivered, in MiB: a runtime with a garbage collector takes its time. */
const GROWTH = 256;

export const backlog: Check = {
  name: 'backlog',
  isLong: true,
  part: 'bus',
  step: 3,
  title: `a long backlog is delivered in bounded memory (less than ${GROWTH} MiB more than before)`,
  plan: { events: 10_000 },
  short: { events: 300 },
  needs: ['away'],
  async run(run) {
    const stage = await startBus(run, { subscribers: 1 });
    await stage.first.goAway();
    const { bus, first } = stage;
    const events = stage.posts(run.size('events'));
    const agent = new http.Agent({ keepAlive: true, maxSockets: 16 });
    run.onEnd(() => agent.destroy());
    let next = 0;
    const publisher = async () => {
      for (let event = events[next++]; event; event = events[next++]) await stage.publish(event, { agent });
    };
    await Promise.all(Array.from({ length: 16 }, publisher));
    const sent = `POST /events ${events.length} times, while posts is away`;
    const before = memoryOf(bus.pids());
    let most = before;
    const timer = setInterval(() => {
      most = Math.max(most, memoryOf(bus.pids()));
    }, 200);
    run.onEnd(() => clearInterval(timer));
    await first.comeBack();
    await stage.arrive(`${sent}; then posts is back`, events.map(keyOf));
    clearInterval(timer);
    if (most - before > GROWTH)
      throw new Failed(sent, `the bus takes less than ${GROWTH} MiB more while it delivers them`, 'it takes more');
    if (first.mostAtOnce > 1) throw new Failed(sent, 'posts gets one event at a time', 'several at once');
  },
};
