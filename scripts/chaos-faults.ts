// What goes wrong, and when: a schedule made from a seed, and the hand that carries it out.
import { setTimeout as pause } from 'node:timers/promises';
import { get, post, until } from '../e2e/http.ts';
import type { System } from '../e2e/system.ts';

export const KINDS = ['kill', 'pause', 'stop', 'replay', 'wipe'] as const;
type FaultKind = (typeof KINDS)[number];
/** Times in milliseconds; `at` from the start, `lasts` how long a part is paused or stopped. */
export type Fault = { at: number; kind: FaultKind; part: string; lasts: number };

export const SERVERS = ['event-bus', 'posts', 'comments', 'query', 'moderation'];
const SUBSCRIBERS = ['posts', 'comments', 'query', 'moderation'];
/** How often each kind comes, of a hundred. */
const SHARE: Record<FaultKind, number> = { kill: 70, pause: 16, stop: 6, replay: 5, wipe: 3 };
const LONGEST_MS = 4_000;
/** How many events a replay delivers again. */
const REPLAYED = 500;

/** Numbers from 0 to 1, always the same ones for a seed (mulberry32). */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

type Options = { seed: number; seconds: number; every: number; killsOnly: boolean };

/** The same for the same options. In each round every server is hit once, in any order; the gateway every other time. */
export function createSchedule({ seed, seconds, every, killsOnly }: Options): Fault[] {
  const random = createRandom(seed);
  const oneOf = <T>(items: readonly T[]) => items[Math.floor(random() * items.length)] as T;
  const lots = KINDS.flatMap((kind) => Array.from({ length: SHARE[kind] }, () => kind));
  let round: string[] = [];
  const nextPart = () => {
    if (round.length === 0)
      round = SERVERS.concat(random() < 0.5 ? ['client'] : [])
        .map((part) => ({ part, place: random() }))
        .sort((a, b) => a.place - b.place)
        .map(({ part }) => part);
    return round.pop() as string;
  };
  return Array.from({ length: Math.floor(seconds / every) }, (_, index) => {
    const kind = killsOnly ? 'kill' : oneOf(lots);
    const part = kind === 'wipe' ? 'query' : kind === 'replay' ? oneOf(SUBSCRIBERS) : nextPart();
    const at = Math.round((index + random()) * every * 1_000);
    return { at, kind, part, lasts: Math.round(200 + random() ** 2 * (LONGEST_MS - 200)) };
  });
}

/** What became of a fault. `inFlight`: how many writes were waiting for an answer. */
export type Done = Fault & { failed?: string; inFlight: number };

/**
 * Carries out a schedule. A part's faults come one after the other, each when the part is ready again, those of different
 * parts at once: so none hits a part that is away anyway. Once `signal` is aborted nothing is stopped or started any more.
 */
export function startFaults(system: System, schedule: Fault[], inFlight: () => number, signal: AbortSignal) {
  const done: Done[] = [];
  const first = Promise.withResolvers<void>();
  const last = new Map<string, Promise<void>>();
  const bus = system.url('event-bus');
  const isReady = async (part: string) =>
    (await get(`${system.url(part)}/readyz`)).status === 200 && (await system.pids()).has(part);

  async function cause({ kind, part, lasts }: Fault): Promise<number> {
    await until(`${part} is ready`, () => isReady(part));
    if (kind === 'kill') await until('writes are in flight', () => inFlight() > 0).catch(() => {});
    signal.throwIfAborted();
    const waiting = inFlight();
    if (kind === 'kill') await system.part(`kill ${part}`);
    if (kind === 'pause') {
      const pid = (await system.pids()).get(part) as number;
      process.kill(pid, 'SIGSTOP');
      await pause(lasts, undefined, { signal }).finally(() => process.kill(pid, 'SIGCONT'));
    }
    if (kind === 'stop' || kind === 'wipe') {
      await system.part(`stop ${part}`);
      if (kind === 'wipe') system.deleteDatabase(part);
      else await pause(lasts, undefined, { signal });
      signal.throwIfAborted();
      await system.part(`start ${part}`);
    }
    if (kind === 'replay') {
      // The bus itself may be away.
      await until(`the replay of ${part} is ordered`, async () => {
        const from = Math.max(1, Number.parseInt(await system.head(), 10) - REPLAYED);
        return (await post(`${bus}/subscriptions/${part}/replay`, { from })).status === 200;
      });
    }
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
      last.set(
        fault.part,
        (last.get(fault.part) ?? Promise.resolve()).then(() => carryOut(fault)),
      );
    }
    await Promise.all(last.values());
    first.resolve(); // there may have been none
  })();

  return {
    done,
    /** When the first fault comes. */
    begun: () => first.promise,
    /** When the last fault is over. */
    finished: () => going,
  };
}
