// `npm run chaos`: runs all parts on their own ports and data, under load, and injects faults. Afterwards it compares
// the answers that the writers got with the data. Exit code 0: nothing was lost or doubled (with --naive: always), 1:
// something was, 2: wrong usage, 130: interrupted.
import { randomInt } from 'node:crypto';
import { cpSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { SERVICES } from '@blog/common/run/parts.ts';
import { copyNames, partOf } from '../../scripts/lib/copies.ts';
import { findNats } from '../../scripts/lib/nats.ts';
import { optionsOrUsage } from '../../scripts/lib/usage.ts';
import { check, type Snapshot, takeSnapshot, type Write } from '../lib/checker.ts';
import { differences, oneOfEach, quorum } from '../lib/copies.ts';
import { get, until } from '../lib/http.ts';
import { mountSmallDisk } from '../lib/small-disk.ts';
import { startSystem } from '../lib/system.ts';
import { startCrowd } from './crowd.ts';
import { createCauses, NODES, startFaults, type Target } from './faults.ts';
import { startNaive } from './naive.ts';
import { type OpenPage, openPage } from './page.ts';
import { printResults } from './report.ts';
import { createSchedule, PLAIN, type Targets } from './schedule.ts';
import { checkAuthors, signInWriters, TYPIST } from './sign-in.ts';

const USAGE = `Usage: npm run chaos -- [--seconds 60] [--every SECONDS] [--seed NUMBER] [--kills-only] [--production] [--copies NUMBER] [--login] [--naive]
--every: from one fault to the next, on average (1)
--copies: of each server, and with nats-server of the bus on a quorum of three nodes
--login: with sign-in; all writers have a session, and auth is killed, too
--naive: the classic version in the place of ours, and of the same faults the kills`;
const QUIET_WITHIN_MS = 120_000;
/** The size of the disk that is filled, in megabytes: a base, and an addition for each second of the run. */
const DISK_MB = 64;
const DISK_MB_A_SECOND = 1;
/** The number of writes acknowledged before the first fault, so that there is something to lose. */
const BEFORE = 20;
const PROGRESS_MS = process.stdout.isTTY ? 1_000 : 10_000;

function parseOptions() {
  const { values } = parseArgs({
    options: {
      seed: { type: 'string', default: String(randomInt(1_000_000)) },
      seconds: { type: 'string', default: '60' },
      every: { type: 'string', default: '1' },
      'kills-only': { type: 'boolean', default: false },
      production: { type: 'boolean', default: false },
      copies: { type: 'string', default: '1' },
      login: { type: 'boolean', default: false },
      naive: { type: 'boolean', default: false },
    },
  });
  const [seed, seconds, every] = [values.seed, values.seconds, values.every].map(Number) as [number, number, number];
  if (!Number.isSafeInteger(seed)) throw new Error('--seed must be a whole number.');
  if (!(seconds > 0 && seconds <= 86_400)) throw new Error('--seconds must be a number from 1 to 86400.');
  if (!(every >= 0.05)) throw new Error('--every must be a number of seconds, at least 0.05.');
  const { 'kills-only': killsOnly, production, login, naive } = values;
  const copies = Number(values.copies);
  if (!(Number.isInteger(copies) && copies >= 1 && copies <= 5))
    throw new Error('--copies must be a number from 1 to 5.');
  if (naive && copies > 1) throw new Error('--naive: the classic version cannot run in copies.');
  if (naive && login) throw new Error('--naive: the classic version has no sign-in.');
  return { seed, seconds, every, killsOnly, production, copies, login, naive };
}

const options = optionsOrUsage(parseOptions, USAGE);

/** A lost session of auth cannot come back from the log, so its database is kept. */
const withAuth = (targets: Targets): Targets => ({ ...targets, all: [...targets.all, 'auth'] });

/** All processes. Any copy may lose its database, because what it acknowledged is in the log; a lone bus may not. */
function targetsOf(copies: number): Targets {
  if (copies === 1) return PLAIN;
  const hasQuorum = 'program' in findNats();
  const nodes = hasQuorum ? [0, 1, 2].map((node) => `${NODES}-${node}`) : [];
  const services = SERVICES.flatMap((part) => copyNames(part, copies));
  const buses = copyNames('event-bus', hasQuorum ? copies : 1);
  const servers = [...services, ...buses];
  return {
    services,
    servers,
    all: [...servers, ...nodes, 'client'],
    wiped: [...services, ...nodes, ...(hasQuorum ? buses : [])],
  };
}

const targets = targetsOf(options.copies);
const schedule = createSchedule(options, options.login ? withAuth(targets) : targets).filter(
  ({ kind }) => kind === 'kill' || !options.naive,
);
const interruption = new AbortController();

/** The system under test: ours, or the classic version. */
type Blog = Pick<Target, 'isReady' | 'causes'> & {
  url: (part: string) => string;
  hasDisk: boolean;
  /** With sign-in: the cookie of a writer's session. */
  cookieOf?: ((writer: number) => string) | undefined;
  /** Undefined without a browser. */
  page?: OpenPage | undefined;
  /** Rejects when the system ends by itself. */
  ended?: Promise<never>;
  /** Resolves once all writes have had all their effects. */
  quiet: () => Promise<void>;
  snapshot: (writes: Write[], seen: Snapshot['seen']) => Promise<Snapshot>;
  /** The copies that say something else than the others. */
  differences?: () => Promise<string[]>;
  /** Resolves to the folder of the data, if it is kept. */
  stop: (keep: boolean) => Promise<string | undefined>;
};

async function startOurs(): Promise<Blog> {
  const disk = await mountSmallDisk(`${Math.ceil(DISK_MB + DISK_MB_A_SECOND * options.seconds)}m`);
  const system = await startSystem(
    ...(options.production ? ['--production'] : []),
    ...(options.copies > 1 ? ['--copies', String(options.copies)] : []),
    ...(options.login ? ['--login'] : []),
    ...(disk ? ['--data', join(disk.folder, 'data')] : []),
  );
  // Browsers keep the cookies of a session for localhost only.
  const blog = `http://localhost:${system.portOf('client')}`;
  const open = async () => ({
    cookieOf: options.login ? await signInWriters(blog) : undefined,
    page: await openPage(options.login ? blog : system.url('client'), options.login ? TYPIST : undefined),
  });
  const opening = interruption.signal.aborted ? undefined : open();
  const opened = await opening?.catch(async (error) => {
    await system.stop();
    await disk?.unmount();
    throw error;
  });
  return {
    url: system.url,
    ...opened,
    ended: system.ended,
    async isReady(part) {
      if (!(await system.pids()).has(part)) return false;
      if (partOf(part) === NODES) return (await quorum(system)) !== undefined;
      return (await get(`${system.url(part)}/readyz`)).status === 200;
    },
    causes: createCauses(system, disk, interruption.signal),
    hasDisk: disk !== undefined,
    quiet: () => system.quiet(QUIET_WITHIN_MS),
    snapshot: (_, seen) => takeSnapshot(oneOfEach(system), seen),
    differences: () => differences(system),
    async stop(keep) {
      await opened?.page?.close();
      await system.stop({ keep });
      let kept = keep ? system.dataDir : undefined;
      if (disk && kept) {
        kept = mkdtempSync(join(tmpdir(), 'blog chaos '));
        cpSync(system.dataDir, kept, { recursive: true });
      }
      await disk?.unmount();
      return kept;
    },
  };
}

async function startTheirs(): Promise<Blog> {
  const { kill, stop, ...naive } = await startNaive(options.production);
  return {
    ...naive,
    hasDisk: false,
    causes: { kill: ({ part }) => kill(part) },
    stop: async () => void (await stop()),
  };
}

/** Samples the subscriptions' consumer lag and keeps the maximum. */
function observeLag(bus: string) {
  const longest = { events: 0, seconds: 0 };
  const observe = async () => {
    const { body } = await get(`${bus}/subscriptions`);
    for (const { lag, lagSeconds } of body) {
      longest.events = Math.max(longest.events, lag);
      longest.seconds = Math.max(longest.seconds, lagSeconds);
    }
  };
  // Samples are skipped while the bus is down.
  const timer = setInterval(() => void observe().catch(() => {}), 500);
  return { longest, stop: () => clearInterval(timer) };
}

/** Runs the faults and returns true if all is right afterwards. */
async function run({
  url,
  isReady,
  causes,
  hasDisk,
  cookieOf,
  page,
  quiet,
  snapshot,
  differences,
}: Blog): Promise<boolean> {
  const began = performance.now();
  const secondsSince = (start: number) => ((performance.now() - start) / 1_000).toFixed(1);
  const crowd = startCrowd(url, { followsLog: !options.naive, cookieOf });
  await until('the crowd writes', () => crowd.counts.acknowledged >= BEFORE);
  const { signal } = interruption;
  const faults = startFaults(schedule, { isReady, causes, inFlight: () => crowd.counts.inFlight, signal });
  const lag = observeLag(url('event-bus'));
  const tell = () => {
    const { acknowledged, inFlight, repeated } = crowd.counts;
    const counts = `${acknowledged} writes acknowledged, ${inFlight} in flight, ${repeated} repeated`;
    const line = `${secondsSince(began).padStart(6)} s  ${faults.done.length} faults, ${counts}`;
    if (process.stdout.isTTY) process.stdout.write(`\r\x1b[K${line}`);
    else console.log(line);
  };
  const telling = setInterval(tell, PROGRESS_MS);

  await faults.begun();
  const before = crowd.counts.acknowledged;
  await faults.finished();
  const between = crowd.counts.acknowledged - before;
  const over = performance.now();
  await Promise.all([crowd.stop(), page?.stop()]);
  clearInterval(telling);
  tell();
  const isQuiet = await quiet().then(
    () => true,
    () => false,
  );
  const quietAfter = `${isQuiet ? '' : 'never, in '}${secondsSince(over)} s`;
  lag.stop();

  console.log('\nThe faults are over; comparing …\n');
  const writes = [...crowd.writes, ...(page?.writes ?? [])];
  const found = await snapshot(writes, crowd.seen);
  const bannedWords = process.env.BANNED_WORDS?.split(',').map((word) => word.trim());
  const rules = { bannedWords, oneCopy: options.copies === 1 };
  const violations = [...check(writes, found, rules), ...((await page?.check(found)) ?? [])];
  const differ = (await differences?.()) ?? [];
  if (differ.length > 0) violations.push({ kind: 'copies differ', count: differ.length, at: {}, examples: differ });
  if (options.login) violations.push(...checkAuthors(writes, found));
  const signedOut = crowd.refused.get(401) ?? 0;
  if (signedOut > 0) violations.push({ kind: 'session', count: signedOut, at: {}, examples: ['a writer got a 401'] });
  const longest = options.naive ? undefined : lag.longest;
  const { done } = faults;
  const seen = page?.report() ?? (options.naive ? 'not opened' : 'not opened: no browser was found');
  printResults({
    options,
    hasDisk,
    done,
    crowd,
    between,
    longest,
    quietAfter,
    log: found.log.length,
    seen,
    violations,
  });
  return violations.length === 0 && isQuiet && crowd.counts.givenUp === 0;
}

// Shorter than the default, so that hanging subscribers are given up sooner.
process.env.DELIVERY_TIMEOUT_MS ??= '2000';
process.env.LOG_LEVEL ??= 'warn';
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, async () => {
    interruption.abort();
    console.log(`\n${signal}: stopping …`);
    await starting.then((blog) => blog.stop(false).catch(console.error)).catch(() => {}); // the start failed
    process.exit(130);
  });
}
console.log(`Seed ${options.seed}: ${schedule.length} faults in ${options.seconds} s. Starting all parts …`);
const starting = options.naive ? startTheirs() : startOurs();
const blog = await starting;
const right = await Promise.race([run(blog), ...(blog.ended ? [blog.ended] : [])]).catch((error) => {
  if (!interruption.signal.aborted) console.error(error);
  return false;
});
if (!interruption.signal.aborted) {
  const kept = await blog.stop(!right);
  if (options.naive) console.log('\nThis was the classic version.');
  else console.log(right ? '\nAll checks passed.' : `\nA check failed. The data is kept in ${kept}`);
  process.exitCode = right || options.naive ? 0 : 1;
}
