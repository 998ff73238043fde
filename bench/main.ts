// `npm run bench`: measures this system next to its alternatives, on this machine. Exit code 0: everything was measured
// (goals met or missed), 1: something could not be measured or was lost, 2: wrong usage, 130: interrupted.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../scripts/lib/part-process.ts';
import { optionsOrUsage } from '../scripts/lib/usage.ts';
import { type Figure, NotMeasured, type Values } from './figure.ts';
import { describeMachine } from './machine.ts';
import { parseOptions, USAGE } from './options.ts';
import { plotOf } from './plot.ts';
import { endAll } from './processes.ts';
import { oneLine, type Result, resultOf, short, tableOf } from './results.ts';

const RESULTS = join(root, 'bench', 'results');
/** A quick run starts no figure after this many milliseconds. */
const QUICK_MS = 45_000;
/** Settings that a shell may have for its own `npm start`, removed here because they would change the results. */
const SETTINGS = ['BANNED_WORDS', 'BUS_TOKEN', 'LOG_LEVEL', 'SUBSCRIPTIONS'];

const { quick, repeat, figures } = optionsOrUsage(parseOptions, USAGE);
const began = performance.now();
let interrupted = false;
/** The directory of the current run. */
let directory: string | undefined;
let tidying: Promise<void> | undefined;

/** Cleans up after the current run; once, even if an interruption comes during the cleanup. */
function tidyUp(): Promise<void> {
  tidying ??= endAll().finally(() => {
    if (directory) rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
    directory = undefined;
    tidying = undefined;
  });
  return tidying;
}

/** Measures one repetition of one side, in a new directory. */
async function measure(figure: Figure, side: string): Promise<Values> {
  directory = mkdtempSync(join(RESULTS, 'run '));
  const say = (text: string) => console.log(`    ${text}`);
  try {
    return await figure.measure({ side, quick, directory, say });
  } finally {
    await tidyUp();
  }
}

/** Measures all sides of a figure, alternating; undefined if one failed, which ends the figure. */
async function measureAll(figure: Figure): Promise<Result | undefined> {
  const runs = new Map(figure.sides.map((side) => [side, [] as Values[]]));
  const notMeasured: Record<string, string> = {};
  const times = figure.once ? 1 : repeat;
  for (let time = 1; time <= times; time++) {
    for (const side of figure.sides) {
      if (interrupted) return undefined;
      if (notMeasured[side] !== undefined) continue;
      const name = `${figure.name}, ${side}${times > 1 ? `, ${time} of ${times}` : ''}`;
      try {
        const values = await measure(figure, side);
        runs.get(side)?.push(values);
        const shown = Object.entries(values).map(([metric, value]) => `${metric} ${short(value)}`);
        console.log(`${((performance.now() - began) / 1_000).toFixed(0).padStart(5)} s  ${name}: ${shown.join(', ')}`);
      } catch (error) {
        if (interrupted) return undefined;
        if (!(error instanceof NotMeasured)) {
          console.error(`${name}: ${oneLine(error)}`);
          process.exitCode = 1;
          return undefined;
        }
        notMeasured[side] = error.message;
        console.log(`         ${name}: not measured, ${error.message}`);
      }
    }
  }
  for (const side of Object.keys(notMeasured)) runs.delete(side);
  return resultOf(figure, runs, notMeasured);
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, async () => {
    interrupted = true;
    console.log(`\n${signal}: stopping …`);
    await tidyUp().catch((error) => console.error(oneLine(error)));
    process.exit(130);
  });
}
for (const name of SETTINGS) delete process.env[name];
mkdirSync(RESULTS, { recursive: true });
const machine = describeMachine(RESULTS);
const about = `${machine.cores} cores (${machine.cpu}), ${machine.memoryGiB} GiB, ${machine.disk}, ${machine.system}, Node ${machine.node}, commit ${machine.commit}`;
console.log(about);
if (quick) console.log('Quick: shortened, and measured once; the figures of a full run count.');

const results: Result[] = [];
const left: string[] = [];
const failed: string[] = [];
for (const figure of figures) {
  if (quick && performance.now() - began > QUICK_MS) {
    left.push(figure.name);
    continue;
  }
  const result = await measureAll(figure);
  if (result) results.push(result);
  else failed.push(figure.name);
}
if (!interrupted) {
  console.log(tableOf(results));
  if (left.length > 0)
    console.log(`\nLeft out, no time in a quick run: ${left.join(', ')} (--figure NAME measures one)`);
  if (failed.length > 0) console.error(`\nFailed, and not counted: ${failed.join(', ')} (why: see above)`);
  writeFileSync(
    join(RESULTS, 'results.json'),
    `${JSON.stringify({ machine, quick, repeat, figures: results }, null, 2)}\n`,
  );
  writeFileSync(join(RESULTS, 'plot.svg'), plotOf(results, about));
  console.log(
    `\n${((performance.now() - began) / 60_000).toFixed(1)} minutes. Also as bench/results/results.json and plot.svg.`,
  );
  process.exit(); // ends timers and sockets left by a failed figure
}
