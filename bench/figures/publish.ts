// The bus alone, next to JetStream: publishing over HTTP, each event on disk before its answer, and pushed to
// subscribers.
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { freePorts } from '../../scripts/lib/port-use.ts';
import { type Figure, NotMeasured, ratio, type Values } from '../figure.ts';
import { startServer } from '../processes.ts';
import { BATCHES, type Bus, createPublishers, PUBLISHERS, startBus, startSubscribers, unitsOf } from '../publishing.ts';

/** JetStream with its own atomic batches; its single events are those of the other side. */
const ATOMIC = 'jetstream-atomic';

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

const against = (metric: string, side: string) => (medians: Record<string, Values>) =>
  ratio(medians.ours?.[metric], medians[side]?.[metric]);

export const publishing: Figure = {
  name: 'publish',
  title: `the bus alone: ${PUBLISHERS} publishers, single events and batches of ${BATCHES}, until the last of 4 subscribers has all`,
  sides: ['ours', 'jetstream', ATOMIC],
  units: Object.assign({}, ...['singles', 'batches'].map(unitsOf)),

  async measure({ side, quick, directory }) {
    const data = join(directory, 'data');
    mkdirSync(data);
    const subscribers = await startSubscribers();
    const bus = await (side === 'ours'
      ? startBus(data, subscribers)
      : startJetStream(data, subscribers.urls, side === ATOMIC));
    const { publish, published } = createPublishers(bus, subscribers);
    await publish('warm-up', 1, quick ? 500 : 1_000);
    const ms = quick ? 1_500 : 5_000;
    const singles = side === ATOMIC ? {} : await publish('singles', 1, ms);
    const batches = await publish('batches', BATCHES, ms);
    const counts = await subscribers.counts();
    if (side === 'ours' && counts.some((count) => count !== published()))
      throw new Error(`${published()} events were published, and ${counts} arrived.`);
    return { ...singles, ...batches };
  },

  goals: [
    { text: 'single events against JetStream', of: against('singles', 'jetstream'), atLeast: 2 },
    { text: `batches of ${BATCHES} against JetStream`, of: against('batches', 'jetstream'), atLeast: 10 },
    { text: `batches of ${BATCHES} against its atomic ones`, of: against('batches', ATOMIC) },
  ],
};
