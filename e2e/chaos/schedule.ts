// The schedule of a chaos run: all faults and their times, derived from a seed before the run begins.
import { PARTS, SERVERS, SERVICES } from '@blog/common/run/parts.ts';
import { createRandom } from '../lib/random.ts';
import { LIES, type Lie } from './liar.ts';

/** A full disk affects all servers. */
export const EVERYBODY = 'the servers';

export type FaultKind = 'kill' | 'pause' | 'stop' | 'lie' | 'disk' | 'lock' | 'replay' | 'wipe';
/** The processes that faults may hit. */
export type Targets = { services: string[]; servers: string[]; all: string[]; wiped: string[] };
/** Each part in one process. Of their databases only query's may be lost, because each of the others is the only one. */
export const PLAIN: Targets = { services: SERVICES, servers: SERVERS, all: PARTS, wiped: ['query'] };

/** Each kind's share of a hundred faults, its targets, and its minimum duration in milliseconds. */
const FAULTS: Record<FaultKind, { share: number; hits: (targets: Targets) => string[]; atLeast?: number }> = {
  // The gateway is hit half as often as each server.
  kill: { share: 60, hits: ({ servers, all }) => [...servers, ...all] },
  pause: { share: 12, hits: ({ servers, all }) => [...servers, ...all] },
  stop: { share: 5, hits: ({ servers, all }) => [...servers, ...all] },
  lie: { share: 8, hits: ({ services }) => services },
  // Databases continue for a while in the free pages of their files.
  disk: { share: 3, hits: () => [EVERYBODY], atLeast: 2_000 },
  lock: { share: 4, hits: ({ servers }) => servers },
  replay: { share: 5, hits: ({ services }) => services },
  wipe: { share: 3, hits: ({ wiped }) => wiped },
};
export const KINDS = Object.keys(FAULTS) as FaultKind[];
/** A fault. Times in milliseconds: `at` from the start, `lasts` its duration if it has one. */
export type Fault = { at: number; kind: FaultKind; part: string; lasts: number; lie: Lie };

const AT_LEAST = 200;
/** The maximum addition to a fault's duration, in milliseconds. */
const LONGER = 3_800;

type Options = { seed: number; seconds: number; every: number; killsOnly: boolean };

/**
 * Creates a schedule, the same for the same options. Every kind comes at least once if there are enough faults, then at
 * random. Parts are shuffled like cards: none comes again before all others had their turn.
 */
export function createSchedule({ seed, seconds, every, killsOnly }: Options, targets = PLAIN): Fault[] {
  const random = createRandom(seed);
  function createDeck<T>(cards: readonly T[]): () => T {
    let left: T[] = [];
    return () => {
      if (left.length === 0) left = [...cards];
      return left.splice(Math.floor(random() * left.length), 1)[0] as T;
    };
  }
  const anyKind = createDeck(KINDS.flatMap((kind) => Array.from({ length: FAULTS[kind].share }, () => kind)));
  const eachKind = createDeck(KINDS);
  const partOf = new Map(KINDS.map((kind) => [kind, createDeck(FAULTS[kind].hits(targets))]));
  const nextLie = createDeck(LIES);
  return Array.from({ length: Math.floor(seconds / every) }, (_, index) => {
    const dealt = index < KINDS.length ? eachKind() : anyKind();
    const kind = killsOnly ? 'kill' : dealt;
    const { atLeast = AT_LEAST } = FAULTS[kind];
    return {
      kind,
      part: (partOf.get(kind) as () => string)(),
      at: Math.round((index + random()) * every * 1_000),
      lasts: Math.round(atLeast + random() ** 2 * LONGER),
      lie: nextLie(),
    };
  });
}
