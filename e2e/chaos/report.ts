// The report at the end of `npm run chaos`.
import { printable } from '@blog/common/core/printable.ts';
import { PARTS, SERVERS } from '@blog/common/run/parts.ts';
import { partOf } from '../../scripts/lib/copies.ts';
import type { Kind, Violation } from '../lib/checker.ts';
import type { Crowd } from './crowd.ts';
import { type Done, NODES } from './faults.ts';
import { EVERYBODY, KINDS } from './schedule.ts';

const FIRST_COLUMN = 33;
const SHOWN: Kind[] = ['lost', 'duplicated', 'wrong', 'pending'];

/**
 * The minimum for a run to count as evidence: kills of each ready server with writes in flight, and acknowledged
 * writes.
 */
const KILLS = 30;
const WRITES = 20_000;

export type Results = {
  options: { seed: number; seconds: number; every: number };
  /** True if a disk of its own could be filled. */
  hasDisk: boolean;
  done: Done[];
  crowd: Crowd;
  /** Writes acknowledged between the first and the last fault. */
  between: number;
  /** Undefined if no subscription is observed. */
  longest?: { events: number; seconds: number };
  quietAfter: string;
  /** Events in the log. */
  log: number;
  /** The report of the page in a browser. */
  seen: string;
  violations: Violation[];
};

/** True for faults of a part, or of one of its copies. */
const hits = (part: string) => (fault: Done) =>
  partOf(fault.part) === part || (fault.part === EVERYBODY && SERVERS.some((server) => server === part));
const inFlight = (fault: Done) => fault.kind === 'kill' && fault.inFlight > 0;

/** Prints the faults by kind and by part, and those that could not be injected. */
function printFaults({ done, hasDisk }: Results): void {
  const columns = [...PARTS, ...[NODES, 'auth'].filter((part) => done.some(hits(part)))];
  const row = (name: string, cells: (string | number)[]) =>
    console.log(
      name.padEnd(FIRST_COLUMN) + cells.map((cell, i) => `${cell}`.padStart((columns[i] ?? 'all').length + 2)).join(''),
    );
  const caused = done.filter(({ failed }) => failed === undefined);
  const count = (name: string, some: Done[]) =>
    row(name, [...columns.map((part) => some.filter(hits(part)).length), some.length]);
  row('fault', [...columns, 'all']);
  for (const kind of KINDS) {
    const name = kind === 'disk' && !hasDisk ? 'disk (none to fill: all locked)' : kind;
    const some = caused.filter((fault) => fault.kind === kind);
    if (some.length > 0) count(name, some);
  }
  count('killed ready, writes in flight', caused.filter(inFlight));
  const lies = Map.groupBy(
    caused.filter(({ kind }) => kind === 'lie'),
    ({ lie }) => lie,
  );
  const told = Array.from(lies, ([lie, { length }]) => (length > 1 ? `${lie} (${length}×)` : lie));
  if (told.length > 0) console.log(`lies: ${told.join(', ')}`);
  for (const { part, kind, failed } of done) if (failed) console.log(`not caused: ${kind} ${part} (${failed})`);
}

/** The reasons for which a run is too small to be evidence; empty if it is not. */
function tooFew({ done, crowd, between }: Results): string[] {
  const { acknowledged, givenUp } = crowd.counts;
  const killed = SERVERS.map((part) => [part, done.filter(inFlight).filter(hits(part)).length] as const);
  return [
    ...killed.filter(([, kills]) => kills < KILLS).map(([part, kills]) => `${part} ${kills} of ${KILLS} kills`),
    ...(acknowledged < WRITES ? [`${acknowledged} of ${WRITES} writes`] : []),
    ...(givenUp > 0 ? [`${givenUp} writes never acknowledged`] : []),
    ...(between * 3 < acknowledged ? ['less than a third of the writes among the faults'] : []),
  ];
}

export function printResults(results: Results): void {
  const { options, crowd, between, longest, quietAfter, log, seen, violations } = results;
  const { acknowledged, repeated, givenUp, reads } = crowd.counts;
  const kinds = new Map(crowd.writes.filter(({ id }) => id).map(({ id, kind }) => [id, kind]));
  const written = (kind: string) => [...kinds.values()].filter((other) => other === kind).length;
  const statuses = [...crowd.refused]
    .sort(([a], [b]) => a - b)
    .map(([status, times]) => `${status || 'no answer'} ${times}×`);
  const sum = (some: Violation[]) => some.reduce((total, { count }) => total + count, 0);
  const { uncertain } = crowd;
  const few = tooFew(results);
  const counted = (wanted: Kind): string => {
    const { count = 0, at = {} } = violations.find(({ kind }) => kind === wanted) ?? {};
    const places = Object.entries(at).map(([place, times]) => `${place} ${times}`);
    return places.length > 0 ? `${count} (${places.join(', ')})` : String(count);
  };
  const share = acknowledged > 0 ? Math.floor((100 * between) / acknowledged) : 0;
  const lines: [string, string | number][] = [
    ['seed, seconds, a fault every', `${options.seed}, ${options.seconds}, ${options.every} s`],
    ['writes acknowledged', `${acknowledged} (${between} between the first and the last fault: ${share}%)`],
    ['posts, comments', `${written('post')}, ${written('comment')}`],
    ['other answers', statuses.join(', ') || 'none'],
    ['sent again with the same key', repeated],
    ['writes not answered or with 5xx', uncertain.writes],
    [
      '  of them in the end',
      `${uncertain.acknowledged} acknowledged, ${uncertain.refused} refused for good (too long)`,
    ],
    ['  never acknowledged', givenUp],
    ['lists and streams read', reads],
    ['events in the log', log],
    ['longest lag', longest ? `${longest.events} events, ${longest.seconds} s` : 'not told'],
    ['quiet after the last fault', quietAfter],
    ['the page in a browser', seen],
    ...SHOWN.map((kind): [string, string] => [kind, counted(kind)]),
    ['other violations', sum(violations.filter(({ kind }) => !SHOWN.includes(kind)))],
    ['counts as evidence', few.length > 0 ? `no: ${few.join(', ')}` : 'yes'],
  ];
  printFaults(results);
  console.log('');
  for (const [name, value] of lines) console.log(name.padEnd(FIRST_COLUMN) + value);
  for (const { kind, count, examples } of violations) {
    console.log(`\n${kind}: ${count}`);
    for (const example of examples) console.log(`  ${printable(example)}`);
  }
}
