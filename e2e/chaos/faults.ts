// Injects the faults of a schedule.
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as pause } from 'node:timers/promises';
import { SERVERS } from '@blog/common/run/parts.ts';
import { partOf } from '../../scripts/lib/copies.ts';
import { post, until } from '../lib/http.ts';
import type { System } from '../lib/system.ts';
import { startLiar } from './liar.ts';
import { EVERYBODY, type Fault, type FaultKind } from './schedule.ts';

/** The number of events that a replay delivers again. */
const REPLAYED = 500;
/** The time in milliseconds for which a fake subscriber waits to be asked: the bus retries at most every 5 s. */
const HEARD_WITHIN = 8_000;

/** The part that the nodes of NATS are: `nats-0` and so on. */
export const NODES = 'nats';

type Disk = { fill(): void; free(): void };
export type Causes = Record<FaultKind, (fault: Fault) => Promise<unknown>>;

/**
 * The implementation of each kind of fault. Without a disk that can be filled, all databases are locked instead. Once
 * `signal` is aborted nothing is stopped or started any more.
 */
export function createCauses(system: System, disk: Disk | undefined, signal: AbortSignal): Causes {
  const lasting = (milliseconds: number) => pause(milliseconds, undefined, { signal });

  /** Stops a part gracefully, and starts it again after `meanwhile`. */
  async function without(part: string, meanwhile: () => unknown): Promise<void> {
    await system.part(`stop ${part}`);
    try {
      await meanwhile();
    } finally {
      if (!signal.aborted) await system.part(`start ${part}`);
    }
    signal.throwIfAborted();
  }

  /** Locks the databases of these parts from another process. */
  async function lock(parts: string[], milliseconds: number): Promise<void> {
    const locks: DatabaseSync[] = [];
    try {
      for (const part of parts) {
        const db = new DatabaseSync(system.fileOf(part));
        locks.push(db);
        await until(`${part}'s database is locked`, () => db.exec('BEGIN IMMEDIATE') === undefined);
      }
      await lasting(milliseconds);
    } finally {
      for (const db of locks) db.close();
    }
  }

  return {
    kill: ({ part }) => system.part(`kill ${part}`),
    async pause({ part, lasts }) {
      const pid = (await system.pids()).get(part) as number;
      process.kill(pid, 'SIGSTOP');
      await lasting(lasts).finally(() => process.kill(pid, 'SIGCONT'));
    },
    stop: ({ part, lasts }) => without(part, () => lasting(lasts)),
    wipe: ({ part }) =>
      without(part, () => (partOf(part) === NODES ? system.wipeNode(part) : system.deleteDatabase(part))),
    lie: ({ part, lasts, lie }) =>
      without(part, async () => {
        const liar = await startLiar(system.portOf(part), lie);
        const heard = until('somebody was lied to', () => signal.aborted || liar.told(), HEARD_WITHIN);
        await heard.then(() => lasting(lasts)).finally(liar.close);
      }),
    lock: ({ part, lasts }) => lock([part], lasts),
    async disk({ lasts }) {
      if (!disk) return lock(SERVERS.flatMap(system.copiesOf), lasts);
      disk.fill();
      await lasting(lasts).finally(disk.free);
    },
    replay: ({ part }) =>
      // The bus itself may be down.
      until(`the replay of ${part} is ordered`, async () => {
        const from = Math.max(1, Number.parseInt(await system.head(), 10) - REPLAYED);
        return (await post(`${system.url('event-bus')}/subscriptions/${part}/replay`, { from })).status === 200;
      }),
  };
}

/** The outcome of a fault. `inFlight`: the number of writes waiting for an answer. */
export type Done = Fault & { failed?: string; inFlight: number };

export type Target = {
  isReady: (part: string) => Promise<boolean>;
  causes: Pick<Causes, 'kill'> & Partial<Causes>;
  inFlight: () => number;
  signal: AbortSignal;
};

/**
 * Runs a schedule. Faults of one part come one after another, each once the part is ready again; those of different
 * parts run concurrently. So none hits a part that is down already.
 */
export function startFaults(schedule: Fault[], { isReady, causes, inFlight, signal }: Target) {
  const done: Done[] = [];
  const first = Promise.withResolvers<void>();
  const last = new Map<string, Promise<void>>();

  async function cause(fault: Fault): Promise<number> {
    const { kind, part } = fault;
    if (part !== EVERYBODY) await until(`${part} is ready`, () => isReady(part));
    if (kind === 'kill') await until('writes are in flight', () => inFlight() > 0, 20_000).catch(() => {});
    signal.throwIfAborted();
    const waiting = inFlight();
    await causes[kind]?.(fault);
    return waiting;
  }

  const carryOut = async (fault: Fault) => {
    try {
      done.push({ ...fault, inFlight: await cause(fault) });
    } catch (error) {
      done.push({ ...fault, inFlight: 0, failed: (error as Error).message });
    }
  };
  const going = (async () => {
    const began = performance.now();
    for (const fault of schedule) {
      await pause(Math.max(0, began + fault.at - performance.now()), undefined, { signal });
      first.resolve();
      // Of three nodes with one copy each of the log, one at a time may be away or lose its copy.
      const lane = partOf(fault.part) === NODES ? NODES : fault.part;
      last.set(
        lane,
        (last.get(lane) ?? Promise.resolve()).then(() => carryOut(fault)),
      );
    }
    await Promise.all(last.values());
    first.resolve(); // a schedule may be empty
  })();

  return {
    done,
    /** Resolves at the first fault. */
    begun: () => first.promise,
    /** Resolves after the last fault. */
    finished: () => going,
  };
}
