// Publishing to a bus that pushes to subscribers which only count: the load of the figures `publish` and `quorum`.
import { get, until } from '../e2e/lib/http.ts';
import { startProcess } from '../e2e/lib/system.ts';
import { HOST, specOf } from '../scripts/lib/part-process.ts';
import { freePorts } from '../scripts/lib/port-use.ts';
import { watchCost } from './cost.ts';
import type { Values } from './figure.ts';
import { now, putLoad } from './load.ts';
import { keep, startServer } from './processes.ts';

export const PUBLISHERS = 32;
export const BATCHES = 100;
const PATHS = ['/1', '/2', '/3', '/4'];

/** The process ids are those of all that the bus consists of. */
export type Bus = { url: string; pids: number[] };

/** Starts the four subscribers, which are one process. */
export async function startSubscribers() {
  const { url } = await startServer('bench/subscribers.ts');
  return {
    urls: PATHS.map((path) => `${url}${path}`),
    /** The number of events that each of them has. */
    counts: async (): Promise<number[]> => (await get(url)).body,
  };
}
export type Subscribers = Awaited<ReturnType<typeof startSubscribers>>;

/** Starts our event bus as in production, with these four subscribers instead of the services. */
export async function startBus(directory: string, { urls }: Subscribers, settings: NodeJS.ProcessEnv = {}) {
  const port = Number(settings.PORT ?? (await freePorts(1))[0]);
  const { env } = specOf('event-bus', { dataDir: directory, production: true, ports: new Map([['event-bus', port]]) });
  const SUBSCRIPTIONS = urls.map((url, n) => `s${n}=${url}`).join(',');
  const { pid, stop } = await keep(startProcess('event-bus/src/main.ts', { ...env, SUBSCRIPTIONS, ...settings }));
  return { url: `http://${HOST}:${port}`, pids: [pid], stop };
}

/** The units of what `publish` measures under this name. */
export const unitsOf = (name: string): Record<string, string> => ({
  [name]: 'events/s',
  [`${name} p50`]: 'ms',
  [`${name} p99`]: 'ms',
  [`${name} cost`]: 'µs of processor time an event',
  [`${name} load`]: 'µs of the load generator an event',
});

/** Publishers of one bus. */
export function createPublishers({ url, pids }: Bus, { counts }: Subscribers) {
  let published = 0;
  return {
    /** The number of events that all of them have published. */
    published: () => published,

    /** Publishes batches of this size for `ms` milliseconds; measured until the last subscriber has everything. */
    async publish(name: string, batch: number, ms: number, concurrency = PUBLISHERS): Promise<Values> {
      const watched = watchCost(pids);
      const sent = await putLoad({ kind: 'events', url, name, batch, concurrency, ms });
      if (Object.keys(sent.refused).length > 0) throw new Error(`refused: ${JSON.stringify(sent.refused)}`);
      const events = sent.requests * batch;
      published += events;
      const haveAll = async () => (await counts()).every((count) => count >= published);
      await until('every subscriber has everything', haveAll, 120_000);
      const seconds = (now() - sent.began) / 1_000;
      const { processor } = watched.stop();
      const values = { [name]: events / seconds, [`${name} p50`]: sent.p50, [`${name} p99`]: sent.p99 };
      if (processor !== undefined) values[`${name} cost`] = (processor * 1_000) / events;
      return { ...values, [`${name} load`]: sent.cost / batch };
    },
  };
}
