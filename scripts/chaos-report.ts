// What `npm run chaos` prints in the end.
import type { Kind, Violation } from '../e2e/checker.ts';
import type { Crowd } from './chaos-crowd.ts';
import { type Done, KINDS, SERVERS } from './chaos-faults.ts';

const PARTS = [...SERVERS, 'client'];
const FIRST_COLUMN = 33;

function row(name: string, cells: (string | number)[]): void {
  const widths = [...PARTS, 'all'].map((part) => part.length + 2);
  console.log(name.padEnd(FIRST_COLUMN) + cells.map((cell, i) => `${cell}`.padStart(widths[i] ?? 0)).join(''));
}

/** The faults by kind and by part; and those that could not be caused. */
export function printFaults(done: Done[]): void {
  const caused = done.filter(({ failed }) => failed === undefined);
  const count = (name: string, some: Done[]) =>
    row(name, [...PARTS.map((name) => some.filter(({ part }) => part === name).length), some.length]);
  row('fault', [...PARTS, 'all']);
  const of = (wanted: string) => caused.filter(({ kind }) => kind === wanted);
  for (const kind of KINDS) count(kind, of(kind));
  count(
    'kills with writes in flight',
    of('kill').filter(({ inFlight }) => inFlight > 0),
  );
  for (const { part, kind, failed } of done) if (failed) console.log(`not caused: ${kind} ${part} (${failed})`);
}

type Results = {
  options: { seed: number; seconds: number; every: number };
  crowd: Crowd;
  /** Writes acknowledged between the first and the last fault. */
  between: number;
  longest: { events: number; seconds: number };
  quietAfter: string;
  /** Events in the log. */
  log: number;
  violations: Violation[];
};

export function printResults({ options, crowd, between, longest, quietAfter, log, violations }: Results): void {
  const { acknowledged, repeated, givenUp, reads } = crowd.counts;
  const kinds = new Map(crowd.writes.filter(({ id }) => id).map(({ id, kind }) => [id, kind]));
  const written = (kind: string) => [...kinds.values()].filter((other) => other === kind).length;
  const statuses = [...crowd.refused]
    .sort(([a], [b]) => a - b)
    .map(([status, times]) => `${status || 'no answer'} ${times}×`);
  const shown: Kind[] = ['lost', 'duplicated', 'wrong', 'pending'];
  const sum = (some: Violation[]) => some.reduce((total, { count }) => total + count, 0);
  const results: [string, string | number][] = [
    ['seed, seconds, a fault every', `${options.seed}, ${options.seconds}, ${options.every} s`],
    ['writes acknowledged', `${acknowledged} (${between} between the first and the last fault)`],
    ['posts, comments', `${written('post')}, ${written('comment')}`],
    ['other answers', statuses.join(', ') || 'none'],
    ['sent again with the same key', repeated],
    ['lists and streams read', reads],
    ['events in the log', log],
    ['longest lag', `${longest.events} events, ${longest.seconds} s`],
    ['quiet after the last fault', quietAfter],
    ['never acknowledged', givenUp],
    ...shown.map((kind): [string, number] => [kind, sum(violations.filter((violation) => violation.kind === kind))]),
    ['other violations', sum(violations.filter(({ kind }) => !shown.includes(kind)))],
  ];
  console.log('');
  for (const [name, value] of results) console.log(name.padEnd(FIRST_COLUMN) + value);
}

export function printViolations(violations: Violation[]): void {
  for (const { kind, count, examples } of violations) {
    console.log(`\n${kind}: ${count}`);
    for (const example of examples) console.log(`  ${example}`);
  }
}
