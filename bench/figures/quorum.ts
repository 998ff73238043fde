// The bus over a quorum of three nodes of NATS: its speed beside the same bus on SQLite, and how long writes stop when a
// leader is killed, and when everything is restarted.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { openDatabase } from '../../common/src/core/database.ts';
import { createEvent } from '../../common/src/core/events.ts';
import { createLog } from '../../common/src/observe/log.ts';
import type { Quorum } from '../../e2e/lib/copies.ts';
import { get, until } from '../../e2e/lib/http.ts';
import { append } from '../../event-bus/src/log.ts';
import { Quorum as QuorumLog } from '../../event-bus/src/quorum/quorum.ts';
import { migrations } from '../../event-bus/src/schema.ts';
import { Tail } from '../../event-bus/src/tail.ts';
import { findNats, type Nats, startNats } from '../../scripts/lib/nats.ts';
import { HOST } from '../../scripts/lib/part-process.ts';
import { freePorts } from '../../scripts/lib/port-use.ts';
import { type Figure, NotMeasured, ratio, type Values } from '../figure.ts';
import { now, percentile } from '../load.ts';
import { keep } from '../processes.ts';
import {
  BATCHES,
  createPublishers,
  PUBLISHERS,
  type Subscribers,
  startBus,
  startSubscribers,
  unitsOf,
} from '../publishing.ts';
import { startWriter } from '../retrying-writer.ts';

/** The maximum wait for a leader, or for a node to have caught up, in milliseconds. */
const PATIENCE = 60_000;

/**
 * The median duration of a commit of one event, on a quorum of its own and on the disk here, one after the other with a pause,
 * in milliseconds.
 */
async function measureCommit(directory: string, ms: number): Promise<number> {
  const nats = await keep(startNats({ dataDir: join(directory, 'nats-idle') }));
  const db = openDatabase(join(directory, 'idle', 'event-bus.db'), migrations);
  const settings = { servers: nats.url.split(','), replicas: 3, name: 'event-bus', url: `http://${HOST}` };
  const log = createLog('event-bus', 'silent');
  const quorum = new QuorumLog({ db, log, tail: new Tail(), settings, measured: () => {} });
  quorum.start();
  const times: number[] = [];
  try {
    await until('the log is on the quorum', async () => quorum.isCaughtUp || undefined, PATIENCE);
    for (const end = now() + ms; now() < end; await pause(5)) {
      const event = createEvent('bench', 'PostCreated', { id: `idle-${times.length}` });
      const began = now();
      await db.write((tx) => append(tx, [event]));
      times.push(now() - began);
    }
  } finally {
    await quorum.stop();
    await db.close();
    await nats.stop();
  }
  return percentile(times, 50);
}

/** One copy of the bus, as a process that is killed and started again on the same port, with the same data. */
async function createCopy(name: string, directory: string, subscribers: Subscribers, nats: Nats) {
  const [port] = await freePorts(1);
  const url = `http://${HOST}:${port}`;
  const folder = join(directory, name);
  mkdirSync(folder);
  const settings = { DATA_DIR: folder, PORT: `${port}`, COPY_NAME: name, COPY_URL: url, NATS_URL: nats.url };
  const start = () => startBus(folder, subscribers, settings);
  let running = await start();
  return {
    name,
    url,
    pids: () => running.pids,
    start: async () => {
      running = await start();
    },
    /** Sends SIGTERM; resolves once it has ended. */
    stop: () => running.stop(),
    kill: async () => {
      for (const pid of running.pids) process.kill(pid, 'SIGKILL');
      await running.stop();
    },
    quorum: async (): Promise<Quorum> => (await get(`${url}/readyz`)).body.quorum,
  };
}
type Copy = Awaited<ReturnType<typeof createCopy>>;

/** Waits until all copies know the same leader, and all nodes are current; resolves to the names of both leaders. */
const whole = (copies: Copy[]) =>
  until(
    'a leader of the bus, and all nodes current',
    async () => {
      const [report, ...others] = await Promise.all(copies.map((copy) => copy.quorum()));
      if (!report?.leader || others.some(({ leader }) => leader !== report.leader)) return undefined;
      const { leader, nodes } = report;
      if (nodes.length !== 3 || nodes.some(({ current, offline }) => offline || !current)) return undefined;
      const node = nodes.find(({ leader }) => leader)?.name;
      return node && { leader, node };
    },
    PATIENCE,
  );

const named = <T extends { name: string }>(all: T[], wanted: string): T => all.find(({ name }) => name === wanted) as T;

/** Kills and restarts under a writer; the values are seconds without an acknowledged write. */
async function measureStops(copies: Copy[], { nodes }: Nats, say: (text: string) => void): Promise<Values> {
  const writer = startWriter(copies.map(({ url }) => url));
  await keep(Promise.resolve(writer));
  const values: Values = {};
  async function stop(name: string, work: () => Promise<unknown>): Promise<void> {
    values[name] = await writer.longestStop(work);
    say(`${name}: writes stopped for ${values[name].toFixed(2)} s`);
  }

  const { leader } = await whole(copies);
  const copy = named(copies, leader);
  const [other] = copies.filter(({ name }) => name !== leader) as [Copy];
  await stop('bus leader killed', async () => {
    await copy.kill();
    await until('the other copy leads', async () => (await other.quorum()).leader === other.name, PATIENCE);
  });
  await copy.start();

  const { node: leading } = await whole(copies);
  const node = named(nodes, leading);
  await stop('stream leader killed', async () => {
    await node.kill();
    const isReplaced = async () => (await other.quorum()).nodes.some(({ leader, name }) => leader && name !== leading);
    await until('another node leads the stream', isReplaced, PATIENCE);
  });
  await node.start();
  await whole(copies);

  const restarts: number[] = [];
  for (const one of [...copies, ...nodes]) {
    const restarted = await writer.longestStop(async () => {
      await one.stop();
      await one.start();
      await whole(copies);
    });
    say(`${one.name} restarted: writes stopped for ${restarted.toFixed(2)} s`);
    restarts.push(restarted);
  }
  values['all restarted'] = Math.max(...restarts);
  await writer.stop();
  return values;
}

const against = (metric: string) => (medians: Record<string, Values>) =>
  ratio(medians.quorum?.[metric], medians.sqlite?.[metric]);

export const quorum: Figure = {
  name: 'quorum',
  title: `the bus over a quorum of three nodes: ${PUBLISHERS} publishers, until the last of 4 subscribers has all; and how long writes stop`,
  sides: ['sqlite', 'quorum'],
  units: {
    ...unitsOf('singles'),
    ...unitsOf('batches'),
    'idle p50': 'ms',
    'idle commit p50': 'ms',
    'bus leader killed': 's',
    'stream leader killed': 's',
    'all restarted': 's',
  },

  async measure({ side, quick, directory, say }) {
    const found = findNats();
    if ('missing' in found) throw new NotMeasured(found.missing);
    const subscribers = await startSubscribers();
    const copies: Copy[] = [];
    const pids: number[] = [];
    let nats: Nats | undefined;
    const ms = quick ? 1_000 : 3_000;
    let commit = Number.NaN;
    if (side === 'quorum') {
      commit = await measureCommit(directory, ms);
      nats = await keep(startNats({ dataDir: join(directory, 'nats') }));
      const first = await createCopy('event-bus-0', directory, subscribers, nats);
      copies.push(first);
      await whole(copies);
      pids.push(...first.pids(), ...nats.nodes.map((node) => node.pid() as number));
    }
    const bus = copies[0] ? { url: copies[0].url, pids } : await startBus(directory, subscribers);
    const { publish, published } = createPublishers(bus, subscribers);
    await publish('warm-up', 1, quick ? 300 : 1_000);
    const { 'idle p50': p50 = Number.NaN } = await publish('idle', 1, ms, 1);
    const values = {
      ...(await publish('singles', 1, ms)),
      ...(await publish('batches', BATCHES, ms)),
      'idle p50': p50,
    };
    const counts = await subscribers.counts();
    if (counts.some((count) => count !== published()))
      throw new Error(`${published()} events were published, and ${counts} arrived.`);
    if (!nats) return values;
    copies.push(await createCopy('event-bus-1', directory, subscribers, nats));
    return { ...values, 'idle commit p50': commit, ...(await measureStops(copies, nats, say)) };
  },

  goals: [
    { text: 'single events against SQLite', of: against('singles'), atLeast: 0.5 },
    { text: `batches of ${BATCHES} against SQLite`, of: against('batches'), atLeast: 0.4 },
    { text: 'p50 of a commit alone, ms', of: ({ quorum }) => quorum?.['idle commit p50'], atMost: 3 },
    { text: 'stop, bus leader killed, s', of: ({ quorum }) => quorum?.['bus leader killed'], atMost: 3 },
    { text: 'stop, stream leader killed, s', of: ({ quorum }) => quorum?.['stream leader killed'], atMost: 12 },
    { text: 'stop, all restarted, s', of: ({ quorum }) => quorum?.['all restarted'], atMost: 2 },
  ],
};
