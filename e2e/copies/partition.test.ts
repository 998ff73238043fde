// A partition: three machines, each with a node of NATS, a copy of the bus and a copy of posts. The one whose copies lead is cut
// off from the others while all are written to. Nothing that either side has acknowledged is lost, and nothing is doubled.
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { describeNodes, natsUrlOf, requireNats, withNats, writeNodes } from '../../scripts/lib/nats.ts';
import { root } from '../../scripts/lib/part-process.ts';
import type { Quorum } from '../lib/copies.ts';
import { until } from '../lib/http.ts';
import { addressOf, type Machines, startMachines } from '../lib/machines.ts';

/** The number of partitions. */
const ROUNDS = process.env.LONG ? 10 : 1;
/** The number of posts acknowledged before, during and after a partition. */
const SOME = 20;
const MACHINES = [0, 1, 2];
const WRITERS = 2;
const WITHIN = 120_000;
const BUS = 4005;
const POSTS = 4000;

const network = await startMachines(MACHINES.length);
if ('missing' in network) console.log(`Skipped. ${network.missing}`);
const machines = network as Machines;

const OUTPUT = process.env.E2E_LOG ? 'inherit' : 'ignore';

const dataDir = mkdtempSync(join(tmpdir(), 'blog partition '));
const folderOf = (machine: number) => join(dataDir, `machine-${machine}`);
const nodes = describeNodes(
  dataDir,
  MACHINES.map(() => ({ client: 4222, route: 6222, monitor: 8222 })),
).map((node, machine) => ({ ...node, host: addressOf(machine) }));
const buses = new Map<number, ChildProcess>();
/** Sends a request from a machine to its own copy. */
const callers: ReturnType<Machines['startCaller']>[] = [];

function startPart(machine: number, part: string, env: Record<string, string>): ChildProcess {
  const settings = { HOST: '0.0.0.0', DATA_DIR: folderOf(machine), COPY_NAME: `${part}-${machine}`, LOG_LEVEL: 'warn' };
  return machines.start(machine, process.execPath, [join(root, part, 'src', 'main.ts')], {
    env: { PATH: process.env.PATH, ...settings, ...env },
    stdio: ['ignore', OUTPUT, OUTPUT],
  });
}

function startBus(machine: number): void {
  const urls = MACHINES.map((other) => `posts-${other}=http://${addressOf(other)}:${POSTS}/events`);
  const own = { PORT: `${BUS}`, COPY_URL: `http://${addressOf(machine)}:${BUS}` };
  buses.set(machine, startPart(machine, 'event-bus', { ...own, NATS_URL: natsUrlOf(nodes), SUBSCRIPTIONS: `${urls}` }));
}

const call = (machine: number, port: number, path: string, options = {}) =>
  (callers[machine] as (typeof callers)[0])(`http://127.0.0.1:${port}${path}`, options);

const reportOf = async (machine: number): Promise<Quorum | undefined> =>
  (await call(machine, BUS, '/readyz')).body?.quorum;

/** Waits until all these machines say that the same copy of the bus leads, and that all nodes are current. */
const whole = (some = MACHINES) =>
  until(
    'a leader, and all nodes current',
    async () => {
      const [report, ...others] = await Promise.all(some.map(reportOf));
      if (!report?.leader || others.some((other) => other?.leader !== report.leader)) return false;
      return report.nodes.length === MACHINES.length && report.nodes.every(({ current }) => current) && report;
    },
    WITHIN,
  );

const machineOf = (name: string) => Number(name.slice(-1));
const nodeThatLeads = ({ nodes }: Quorum) => machineOf(nodes.find(({ leader }) => leader)?.name ?? '');

async function stopBus(machine: number): Promise<void> {
  const child = buses.get(machine) as ChildProcess;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  await ended;
}

/** Gives the lead to the copy of the bus on the machine whose node leads the stream; returns that machine. */
async function gatherLeaders(): Promise<number> {
  const machine = nodeThatLeads(await whole());
  const others = MACHINES.filter((other) => other !== machine);
  await Promise.all(others.map(stopBus));
  await until('it leads', async () => machineOf((await reportOf(machine))?.leader ?? '') === machine, WITHIN);
  for (const other of others) startBus(other);
  const report = await whole();
  return machineOf(report.leader ?? '') === machine && nodeThatLeads(report) === machine ? machine : gatherLeaders();
}

/** Writes posts at each machine, each with its key until it is acknowledged. */
function startWriters(round: number) {
  const written: string[] = [];
  const counts = MACHINES.map(() => 0);
  let going = true;
  const write = async (machine: number, writer: number) => {
    for (let n = 0; going; n++) {
      const title = `post ${n} of writer ${writer} at machine ${machine} in round ${round}`;
      const headers = { 'idempotency-key': title.replaceAll(' ', '-') };
      const sent = { method: 'POST', body: { title }, headers };
      await until(
        `"${title}" is acknowledged`,
        async () => (await call(machine, POSTS, '/posts', sent)).status === 201,
        WITHIN,
      );
      written.push(title);
      counts[machine] = (counts[machine] ?? 0) + 1;
    }
  };
  const all = MACHINES.flatMap((machine) => Array.from({ length: WRITERS }, (_, writer) => write(machine, writer)));
  const writing = Promise.all(all);
  writing.catch(() => {}); // reported by stop()
  return {
    written,
    /** Waits for more acknowledged posts at each of these machines. */
    async some(at: number[]): Promise<void> {
      const before = [...counts];
      const isEnough = (machine: number) => (counts[machine] ?? 0) >= (before[machine] ?? 0) + SOME;
      await until(`posts at ${at}`, () => at.every(isEnough), WITHIN);
    },
    async stop(): Promise<void> {
      going = false;
      await writing;
    },
  };
}

function rows(machine: number, part: string, sql: string): Record<string, unknown>[] {
  const db = new DatabaseSync(join(folderOf(machine), `${part}.db`), { readOnly: true });
  try {
    return db
      .prepare(sql)
      .all()
      .map((row) => ({ ...row }));
  } finally {
    db.close();
  }
}

afterAll(async () => {
  await machines.stop?.();
  rmSync(dataDir, { recursive: true, force: true, maxRetries: 5 });
});

('missing' in network ? describe.skip : withNats(describe))('a partition', () => {
  beforeAll(async () => {
    const program = requireNats();
    writeNodes(nodes);
    for (const machine of MACHINES) {
      mkdirSync(folderOf(machine));
      machines.start(machine, program, ['-c', nodes[machine]?.config ?? ''], { stdio: 'ignore' });
      callers.push(machines.startCaller(machine));
      startBus(machine);
      startPart(machine, 'posts', { PORT: `${POSTS}`, EVENT_BUS_URL: `http://127.0.0.1:${BUS}`, ANSWER_AFTER: 'log' });
    }
    await whole();
  });

  test('a leader cut off with the leader of the stream acknowledges nothing, the others go on, and nothing is lost', async () => {
    const written: string[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const wrong = await gatherLeaders();
      const right = MACHINES.filter((machine) => machine !== wrong);
      const writers = startWriters(round);
      try {
        await writers.some(MACHINES);
        machines.cut(wrong);
        const title = `cut off ${round}`;
        const [answer] = await Promise.all([
          call(wrong, POSTS, '/posts', { method: 'POST', body: { title } }),
          writers.some(right),
        ]);
        expect(answer).toMatchObject({ status: 503 });
        written.push(title); // stored there, and published once that is possible
        machines.join(wrong);
        await writers.some(MACHINES);
      } finally {
        await writers.stop();
        written.push(...writers.written);
      }
    }
    const wanted = written.sort();
    const titles = (machine: number) =>
      rows(machine, 'posts', 'SELECT title FROM posts')
        .map(({ title }) => title)
        .sort();
    const log = (machine: number) =>
      rows(machine, 'event-bus', 'SELECT position, checksum FROM events ORDER BY position');
    const isThere = (machine: number) => Math.min(titles(machine).length, log(machine).length) >= wanted.length;
    await until('everything is everywhere', () => MACHINES.every(isThere), WITHIN).catch(() => {});
    for (const machine of MACHINES) {
      expect(titles(machine)).toEqual(wanted);
      expect(log(machine)).toEqual(log(0));
      expect(log(machine).length).toBe(wanted.length);
    }
  });
});
