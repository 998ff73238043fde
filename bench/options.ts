// The figures of the benchmark, and its command line.
import { parseArgs } from 'node:util';
import type { Figure } from './figure.ts';
import { alone } from './figures/alone.ts';
import { disk } from './figures/disk.ts';
import { durability } from './figures/durability.ts';
import { growth } from './figures/growth.ts';
import { idle } from './figures/idle.ts';
import { latency } from './figures/latency.ts';
import { moderation } from './figures/moderation.ts';
import { newCopy } from './figures/new-copy.ts';
import { page } from './figures/page.ts';
import { publishing } from './figures/publish.ts';
import { quorum } from './figures/quorum.ts';
import { readers } from './figures/readers.ts';
import { reads } from './figures/reads.ts';
import { rebuild } from './figures/rebuild.ts';
import { start } from './figures/start.ts';
import { tracing } from './figures/tracing.ts';
import { writes } from './figures/writes.ts';

export const USAGE = `Usage: npm run bench -- [--quick] [--figure NAME] [--side NAME] [--repeat N]
--quick: shortened, once, what fits in a minute
--figure, --side: only this one (more than once: these)
--repeat: how often each is measured (3)`;

/** All figures in the order of measurement; a quick run omits the last ones first. */
const FIGURES: Figure[] = [
  disk,
  writes,
  alone,
  latency,
  reads,
  durability,
  publishing,
  rebuild,
  newCopy,
  moderation,
  readers,
  start,
  idle,
  page,
  tracing,
  quorum,
  growth,
];

/** Parses the command line. Throws an error that lists the valid names. */
export function parseOptions() {
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
