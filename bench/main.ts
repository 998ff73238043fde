// `npm run bench`: what this system costs and gains beside what could be used instead, on this machine. Exit code 0: all
// was measured (goals missed or not), 1: something was not, or was lost, 2: wrong usage, 130: interrupted.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { root } from '../scripts/parts.ts';
import { optionsOrUsage } from '../scripts/usage.ts';
import { type Figure, NotMeasured, type Values } from './figure.ts';
import { alone } from './figures/alone.ts';
import { disk } from './figures/disk.ts';
import { durability } from './figures/durability.ts';
import { growth } from './figures/growth.ts';
import { idle } from './figures/idle.ts';
import { latency } from './figures/latency.ts';
import { publishing } from './figures/publish.ts';
import { readers } from './figures/readers.ts';
import { reads } from './figures/reads.ts';
import { rebuild } from './figures/rebuild.ts';
import { start } from './figures/start.ts';
import { writes } from './figures/writes.ts';
import { describeMachine } from './machine.ts';
import { plotOf } from './plot.ts';
import { endAll } from './processes.ts';
import { oneLine, type Result, resultOf, short, tableOf } from './results.ts';

const USAGE = `Usage: npm run bench -- [--quick] [--figure NAME] [--side NAME] [--repeat N]
--quick: shortened, once, what fits in a minute
--figure, --side: only this one (more than once: these)
--repeat: how often each is measured (3)`;
const RESULTS = join(root, 'bench', 'results');
/** A quick run begins nothing after so many milliseconds. */
const QUICK_MS = 45_000;
/** Settings of the parts that a shell may have for its own `npm start`: here they would change what is measured. */
const SETTINGS = ['BANNED_WORDS', 'BUS_TOKEN', 'LOG_LEVEL', 'SUBSCRIPTIONS'];

/** In the order in which they are measured; in a quick run the last are the first to be left out. */
const FIGURES: Figure[] = [
  disk,
  writes,
  alone,
  latency,
  reads,
  durability,
  publishing,
  rebuild,
  readers,
  start,
  idle,
  growth,
];

function parseOptions() {
  const { values } = parseArgs({
    options: {
      quick: { type: 'boolean', default: false },
      figure: { type: 'string', multiple: true, default: [] },
      side: { type: 'string', multiple: true, default: [] },
      repeat: { type: 'string' },
    },
  });
  const { quick, figure: names, side: sides, repeat: times = quick ? '1' : '3' } = values;
  const unknown = names.find((name) => !FIGURES.some((figure) => figure.name === name));
  if (unknown !== undefined)
    throw new Error(`--figure ${unknown}: the figures are ${FIGURES.map(({ name }) => name).join(', ')}.`);
  const chosen = FIGURES.filter(({ name, once }) => (names.length > 0 ? names.includes(name) : !(quick && once)));
  const all = new Set(chosen.flatMap((figure) => figure.sides));
  const nobody = sides.find((side) => !all.has(side));
  if (nobody !== undefined) throw new Error(`--side ${nobody}: the sides are ${[...all].join(', ')}.`);
  const repeat = Number(times);
  if (!(Number.isInteger(repeat) && repeat >= 1 && repeat <= 100))
    throw new Error('--repeat must be a whole number from 1 to 100.');
  const wanted = (side: string) => sides.length === 0 || sides.includes(side);
  const figures = chosen.map((figure) => ({ ...figure, sides: figure.sides.filter(wanted) }));
  return { quick, repeat, figures: figures.filter((figure) => figure.sides.length > 0) };
}

const { quick, repeat, figures } = optionsOrUsage(parseOptions, USAGE);
const began = performance.now();
let interrupted = false;
/** Of the run that is going on. */
let directory: string | undefined;

let tidying: Promise<void> | undefined;

/** Ends the run that is going on; once, also if an interruption comes while it ends by itself. */
function tidyUp(): Promise<void> {
  tidying ??= endAll().finally(() => {
    if (directory) rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
    directory = undefined;
    tidying = undefined;
  });
  return tidying;
}

/** One repetition of one side, in a directory of its own. */
async function measure(figure: Figure, side: string): Promise<Values> {
  directory = mkdtempSync(join(RESULTS, 'run '));
  const say = (text: string) => console.log(`    ${text}`);
  try {
    return await figure.measure({ side, quick, directory, say });
  } finally {
    await tidyUp();
  }
}

/** All sides of a figure, alternating; undefined: one of them failed, which ended it. */
async function measureAll(figure: Figure): Promise<Result | undefined> {
  const runs = new Map(figure.sides.map((side) => [side, [] as Values[]]));
  const notMeasured: Record<string, string> = {};
  const times = figure.once ? 1 : repeat;
  for (let time = 1; time <= times; time++) {
    for (const side of figure.sides) {
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
  if (interrupted) break;
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
  process.exit(); // whatever a figure that failed has left waiting
}
