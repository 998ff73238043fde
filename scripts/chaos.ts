// `npm run chaos`: all parts on ports and with data of their own, a crowd that writes and reads, and everything goes wrong.
// Then it is compared what the writers were told with what is there. Exit code 0: all is right, 1: it is not, 2: wrong usage.
import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import { check, takeSnapshot } from '../e2e/checker.ts';
import { get } from '../e2e/http.ts';
import { type System, startSystem } from '../e2e/system.ts';
import { startCrowd } from './chaos-crowd.ts';
import { createSchedule, startFaults } from './chaos-faults.ts';
import { printFaults, printResults, printViolations } from './chaos-report.ts';
import { optionsOrUsage } from './usage.ts';

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

const options = optionsOrUsage(parseOptions, USAGE);
const schedule = createSchedule(options);
console.log(`Seed ${options.seed}: ${schedule.length} faults in ${options.seconds} s. Starting all parts …`);

/** The longest lag of any subscriber, as the bus tells it from time to time. */
function observeLag(system: System) {
  const longest = { events: 0, seconds: 0 };
  const observe = async () => {
    const { body } = await get(`${system.url('event-bus')}/subscriptions`);
    for (const { lag, lagSeconds } of body) {
      longest.events = Math.max(longest.events, lag);
      longest.seconds = Math.max(longest.seconds, lagSeconds);
    }
  };
  // While the bus is away there is nothing to learn.
  const timer = setInterval(() => void observe().catch(() => {}), 500);
  return { longest, stop: () => clearInterval(timer) };
}

/** Lets everything go wrong, and says whether all is right afterwards. */
async function run(system: System): Promise<boolean> {
  const began = performance.now();
  const secondsSince = (start: number) => ((performance.now() - start) / 1_000).toFixed(1);
  const crowd = startCrowd(system);
  const faults = startFaults(system, schedule, () => crowd.counts.inFlight, interruption.signal);
  const lag = observeLag(system);
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
  await crowd.stop();
  clearInterval(telling);
  tell();
  const isQuiet = await system.quiet(QUIET_WITHIN_MS).then(
    () => true,
    () => false,
  );
  const quietAfter = `${isQuiet ? '' : 'never, in '}${secondsSince(over)} s`;
  lag.stop();

  console.log('\nThe faults are over; comparing …\n');
  const snapshot = await takeSnapshot(system, crowd.seen);
  const bannedWords = process.env.BANNED_WORDS?.split(',').map((word) => word.trim());
  const violations = check(crowd.writes, snapshot, bannedWords);
  printFaults(faults.done);
  printResults({ options, crowd, between, longest: lag.longest, quietAfter, log: snapshot.log.length, violations });
  printViolations(violations);
  return violations.length === 0 && isQuiet && crowd.counts.givenUp === 0;
}

// The bus gives up a subscriber that hangs sooner than in real life.
process.env.DELIVERY_TIMEOUT_MS ??= '2000';
process.env.LOG_LEVEL ??= 'warn';
const interruption = new AbortController();
const starting = startSystem(...(options.production ? ['--production'] : []));
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, async () => {
    interruption.abort();
    console.log(`\n${signal}: stopping …`);
    await starting.then((system) => system.stop().catch(console.error)).catch(() => {}); // ended before it began
    process.exit(130);
  });
}
const system = await starting;
const right = await run(system).catch((error) => {
  if (!interruption.signal.aborted) console.error(error);
  return false;
});
if (!interruption.signal.aborted) {
  await system.stop({ keep: !right });
  console.log(right ? '\nAll is right.' : `\nSomething is not right. The data is kept in ${system.dataDir}`);
  process.exitCode = right ? 0 : 1;
}
