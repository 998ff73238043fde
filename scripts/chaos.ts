// `npm run chaos`: all parts on ports and with data of their own, a crowd that writes and reads, and everything goes wrong.
// Then it is compared what the writers were told with what is there. Exit code 0: all is right, 1: it is not, 2: wrong usage.
import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import { check, type Kind, takeSnapshot, type Violation } from '../e2e/checker.ts';
import { get } from '../e2e/http.ts';
import { startSystem } from '../e2e/system.ts';
import { startCrowd } from './chaos-crowd.ts';
import { createSchedule, KINDS, SERVERS, startFaults } from './chaos-faults.ts';

const USAGE = `Usage: npm run chaos -- [--seconds 60] [--every SECONDS] [--seed NUMBER] [--kills-only] [--production]
--every: from one fault to the next, on average (1)`;
const QUIET_WITHIN_MS = 120_000;
const PROGRESS_MS = process.stdout.isTTY ? 1_000 : 10_000;

function parseOptions() {
  const { values } = parseArgs({
    options: {
      seed: { type: 'string', default: String(randomInt(1_000_000)) },
      seconds: { type: 'string', default: '60' },
      every: { type: 'string', default: '1' },
      'kills-only': { type: 'boolean', default: false },
      production: { type: 'boolean', default: false },
    },
  });
  const [seed, seconds, every] = [values.seed, values.seconds, values.every].map(Number) as [number, number, number];
  if (!Number.isSafeInteger(seed)) throw new Error('--seed must be a whole number.');
  if (!(seconds > 0 && seconds <= 86_400)) throw new Error('--seconds must be a number from 1 to 86400.');
  if (!(every >= 0.05)) throw new Error('--every must be a number of seconds, at least 0.05.');
  return { seed, seconds, every, killsOnly: values['kills-only'], production: values.production };
}

function optionsOrUsage() {
  try {
    return parseOptions();
  } catch (error) {
    console.error(`${(error as Error).message}\n${USAGE}`);
    process.exit(2);
  }
}

const options = optionsOrUsage();
const schedule = createSchedule(options);
console.log(`Seed ${options.seed}: ${schedule.length} faults in ${options.seconds} s. Starting all parts …`);

// The parts hear of a subscriber that hangs sooner than in real life.
process.env.DELIVERY_TIMEOUT_MS ??= '2000';
process.env.LOG_LEVEL ??= 'warn';
const starting = startSystem(...(options.production ? ['--production'] : []));
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, async () => {
    console.log(`\n${signal}: stopping …`);
    await starting.then((system) => system.stop()).catch(() => {});
    process.exit(130);
  });
}
const system = await starting;

const crowd = startCrowd(system);
const faults = startFaults(system, schedule, () => crowd.counts.inFlight);
const began = performance.now();
const secondsSince = (start: number) => ((performance.now() - start) / 1_000).toFixed(1);
const longest = { lag: 0, lagSeconds: 0 };
let acknowledgedBefore: number | undefined;

async function observe(): Promise<void> {
  if (faults.done.length > 0) acknowledgedBefore ??= crowd.counts.acknowledged;
  const { body } = await get(`${system.url('event-bus')}/subscriptions`);
  for (const { lag, lagSeconds } of body) {
    longest.lag = Math.max(longest.lag, lag);
    longest.lagSeconds = Math.max(longest.lagSeconds, lagSeconds);
  }
}

function progress(): void {
  const { acknowledged, inFlight, repeated } = crowd.counts;
  const line = `${secondsSince(began).padStart(6)} s  ${faults.done.length} faults, ${acknowledged} writes acknowledged, ${inFlight} in flight, ${repeated} repeated, longest lag ${longest.lag}`;
  if (process.stdout.isTTY) process.stdout.write(`\r\x1b[K${line}`);
  else console.log(line);
}

const observing = setInterval(() => void observe().catch(() => {}), 500);
const telling = setInterval(progress, PROGRESS_MS);
await faults.finished();
const acknowledgedDuring = crowd.counts.acknowledged - (acknowledgedBefore ?? 0);
await crowd.stop();
const stopped = performance.now();
clearInterval(telling);
progress();
const isQuiet = await system.quiet(QUIET_WITHIN_MS).then(
  () => true,
  () => false,
);
const quietAfter = secondsSince(stopped);
clearInterval(observing);
console.log('\nThe faults are over; comparing …\n');
const bannedWords = process.env.BANNED_WORDS?.split(',').map((word) => word.trim());
const snapshot = await takeSnapshot(system, crowd.seen);
const violations = check(crowd.writes, snapshot, bannedWords);

const kinds = new Map(crowd.writes.filter(({ id }) => id).map(({ id, kind }) => [id, kind]));
const written = (kind: string) => [...kinds.values()].filter((other) => other === kind).length;
const parts = [...SERVERS, 'client'];
const caused = faults.done.filter(({ failed }) => failed === undefined);
const of = (kind: string, part: string) => caused.filter((fault) => fault.kind === kind && fault.part === part);
const SHOWN: Kind[] = ['lost', 'duplicated', 'wrong', 'pending'];
const sum = (some: Violation[]) => some.reduce((total, { count }) => total + count, 0);
const rows: [string, ...(string | number)[]][] = [
  ['fault', ...parts, 'all'],
  ...KINDS.map((kind): [string, ...number[]] => [
    kind,
    ...parts.map((part) => of(kind, part).length),
    caused.filter((fault) => fault.kind === kind).length,
  ]),
  ['kill, ready and writes in flight', ...parts.map((part) => of('kill', part).filter((f) => f.inFlight > 0).length)],
];
rows.at(-1)?.push(caused.filter(({ kind, inFlight }) => kind === 'kill' && inFlight > 0).length);
for (const [first, ...cells] of rows)
  console.log(
    first.padEnd(33) + cells.map((cell, i) => String(cell).padStart((parts[i] ?? 'all').length + 2)).join(''),
  );

const { acknowledged, repeated, reads } = crowd.counts;
const statuses = [...crowd.refused].sort(([a], [b]) => a - b).map(([s, count]) => `${s || 'no answer'} ${count}×`);
const results: [string, string | number][] = [
  ['seed', options.seed],
  ['writes acknowledged', `${acknowledged} (${acknowledgedDuring} between the first and the last fault)`],
  ['posts, comments', `${written('post')}, ${written('comment')}`],
  ['not acknowledged', statuses.join(', ') || 'none'],
  ['sent again with the same key', repeated],
  ['lists and streams read', reads],
  ['events in the log', snapshot.log.length],
  ['longest lag', `${longest.lag} events, ${longest.lagSeconds} s`],
  ['quiet after', isQuiet ? `${quietAfter} s` : `never, in ${quietAfter} s`],
  ['never acknowledged', crowd.counts.givenUp],
  ...SHOWN.map((kind): [string, number] => [kind, sum(violations.filter((violation) => violation.kind === kind))]),
  ['other violations', sum(violations.filter(({ kind }) => !SHOWN.includes(kind)))],
];
console.log('');
for (const [name, value] of results) console.log(`${name.padEnd(33)}${value}`);
for (const { part, kind, failed } of faults.done.filter(({ failed }) => failed !== undefined))
  console.log(`not caused: ${kind} ${part} (${failed})`);
for (const { kind, count, examples } of violations) {
  console.log(`\n${kind}: ${count}`);
  for (const example of examples) console.log(`  ${example}`);
}

const right = violations.length === 0 && isQuiet && crowd.counts.givenUp === 0;
await system.stop({ keep: !right });
console.log(right ? '\nAll is right.' : `\nSomething is not right. The data is kept in ${system.dataDir}`);
process.exitCode = right ? 0 : 1;
