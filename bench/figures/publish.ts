// The bus alone, next to JetStream: publishing over HTTP, each event on disk before its answer, and pushed to
// subscribers.
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { get, until } from '../../e2e/lib/http.ts';
import { startProcess } from '../../e2e/lib/system.ts';
import { HOST, specOf } from '../../scripts/lib/part-process.ts';
import { freePorts } from '../../scripts/lib/port-use.ts';
import { watchCost } from '../cost.ts';
import { type Figure, NotMeasured, ratio, type Values } from '../figure.ts';
import { now, putLoad } from '../load.ts';
import { keep, startServer } from '../processes.ts';

const PUBLISHERS = 32;
const BATCHES = 100;
const PATHS = ['/1', '/2', '/3', '/4'];
/** JetStream with its own atomic batches; its single events are those of the other side. */
const ATOMIC = 'jetstream-atomic';

type Bus = { url: string; pids: number[] };

/** Starts our event bus as in production, with these four subscribers instead of the services. */
async function startBus(directory: string, subscribers: string[]): Promise<Bus> {
  const [port = 0] = await freePorts(1);
  const { env } = specOf('event-bus', { dataDir: directory, production: true, ports: new Map([['event-bus', port]]) });
  const SUBSCRIPTIONS = subscribers.map((url, n) => `s${n}=${url}`).join(',');
  const { pid } = await keep(startProcess('event-bus/src/main.ts', { ...env, SUBSCRIPTIONS }));
  return { url: `http://${HOST}:${port}`, pids: [pid] };
}

async function startJetStream(directory: string, subscribers: string[], atomic: boolean): Promise<Bus> {
  if (spawnSync('nats-server', ['--version']).status !== 0) throw new NotMeasured('no nats-server on PATH');
  const [natsPort] = await freePorts(1);
  const env = {
    NATS_PORT: `${natsPort}`,
    DATA_DIR: directory,
    SUBSCRIBERS: subscribers.join(','),
    ATOMIC: atomic ? 'on' : 'off',
  };
  const { url, pid, output } = await startServer('bench/jetstream.ts', env);
  return { url, pids: [pid, Number(/nats-server is (\d+)/.exec(output())?.[1])] };
}

const units = (name: string) => ({
  [name]: 'events/s',
  [`${name} p50`]: 'ms',
  [`${name} p99`]: 'ms',
  [`${name} cost`]: 'µs of processor time an event',
  [`${name} load`]: 'µs of the load generator an event',
});

const against = (metric: string, side: string) => (medians: Record<string, Values>) =>
  ratio(medians.ours?.[metric], medians[side]?.[metric]);

export const publishing: Figure = {
  name: 'publish',
  title: `the bus alone: ${PUBLISHERS} publishers, single events and batches of ${BATCHES}, until the last of 4 subscribers has all`,
  sides: ['ours', 'jetstream', ATOMIC],
  units: Object.assign({}, ...['singles', 'batches'].map(units)),

  async measure({ side, quick, directory }) {
    const data = join(directory, 'data');
    mkdirSync(data);
    const subscribers = await startServer('bench/subscribers.ts');
    const urls = PATHS.map((path) => `${subscribers.url}${path}`);
    const { url, pids } = await (side === 'ours' ? startBus(data, urls) : startJetStream(data, urls, side === ATOMIC));
    let published = 0;
    const everybodyHasAll = async () => {
      const counts: number[] = (await get(subscribers.url)).body;
      return counts.every((count) => count >= published);
    };

    async function publish(name: string, batch: number, ms: number): Promise<Values> {
      const watched = watchCost(pids);
      const sent = await putLoad({ kind: 'events', url, name, batch, concurrency: PUBLISHERS, ms });
      if (Object.keys(sent.refused).length > 0) throw new Error(`refused: ${JSON.stringify(sent.refused)}`);
      const events = sent.requests * batch;
      published += events;
      await until('every subscriber has everything', everybodyHasAll, 120_000);
      const seconds = (now() - sent.began) / 1_000;
      const { processor } = watched.stop();
      const values = { [name]: events / seconds, [`${name} p50`]: sent.p50, [`${name} p99`]: sent.p99 };
      if (processor !== undefined) values[`${name} cost`] = (processor * 1_000) / events;
      return { ...values, [`${name} load`]: sent.cost / batch };
    }
    await publish('warm-up', 1, quick ? 500 : 1_000);
    const ms = quick ? 1_500 : 5_000;
    const singles = side === ATOMIC ? {} : await publish('singles', 1, ms);
    const batches = await publish('batches', BATCHES, ms);
    const { body } = await get(subscribers.url);
    if (side === 'ours' && body.some((count: number) => count !== published))
      throw new Error(`${published} events were published, and ${body} arrived.`);
    return { ...singles, ...batches };
  },

  goals: [
    { text: 'single events against JetStream', of: against('singles', 'jetstream'), atLeast: 2 },
    { text: `batches of ${BATCHES} against JetStream`, of: against('batches', 'jetstream'), atLeast: 10 },
    { text: `batches of ${BATCHES} against its atomic ones`, of: against('batches', ATOMIC) },
  ],
};
