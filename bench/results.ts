// Computes medians, spreads, and goals met or missed from the values of all runs.
import type { Figure, Goal, Values } from './figure.ts';

/** Median, minimum and maximum of all repetitions; `values` in the order of measurement. */
export type Spread = { median: number; min: number; max: number; values: number[] };
export type Judged = { text: string; value?: number; atLeast?: number; atMost?: number; met?: boolean };
export type Result = {
  name: string;
  title: string;
  units: Record<string, string>;
  /** Side -> metric -> spread. */
  sides: Record<string, Record<string, Spread>>;
  /** Side -> reason for not being measured. */
  notMeasured: Record<string, string>;
  goals: Judged[];
};

/** For an even number of values the median is halfway between the two in the middle. */
export function spreadOf(values: number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  const median = ((sorted[Math.floor(middle)] as number) + (sorted[Math.ceil(middle)] as number)) / 2;
  return { median, min: sorted[0] as number, max: sorted.at(-1) as number, values };
}

function judge({ text, of, atLeast, atMost }: Goal, medians: Record<string, Values>): Judged {
  const value = of(medians);
  if (value === undefined || Number.isNaN(value)) return { text, atLeast, atMost };
  if (atLeast === undefined && atMost === undefined) return { text, value };
  return { text, value, atLeast, atMost, met: value >= (atLeast ?? -Infinity) && value <= (atMost ?? Infinity) };
}

/** The result of one figure; `runs` are the values of each side's repetitions. */
export function resultOf(figure: Figure, runs: Map<string, Values[]>, notMeasured: Record<string, string>): Result {
  const { name, title, units, goals } = figure;
  const sides: Result['sides'] = {};
  const medians: Record<string, Values> = {};
  for (const [side, repetitions] of runs) {
    for (const metric of Object.keys(units)) {
      const values = repetitions.map((one) => one[metric]).filter((value) => value !== undefined);
      if (values.length === 0) continue;
      const spread = spreadOf(values);
      sides[side] = { ...sides[side], [metric]: spread };
      medians[side] = { ...medians[side], [metric]: spread.median };
    }
  }
  return { name, title, units, sides, notMeasured, goals: goals.map((goal) => judge(goal, medians)) };
}

/** The first line of an error; of a runner's output the line about a port in use. */
export function oneLine(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  return lines.find((line) => /cannot listen|already in use|EADDRINUSE/.test(line)) ?? lines[0] ?? 'unknown';
}

/** Rounds to three digits, more than a noisy machine yields. */
export function short(value: number): string {
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return value.toLocaleString('en', { maximumFractionDigits: digits });
}

/** "≥ 30" or "≤ 50". */
export const boundOf = ({ atLeast, atMost }: Judged): string =>
  atLeast === undefined ? (atMost === undefined ? 'reported' : `≤ ${short(atMost)}`) : `≥ ${short(atLeast)}`;

function verdictOf({ value, met }: Judged): string {
  if (value === undefined) return 'not measured';
  return met === undefined ? short(value) : `${short(value)}, ${met ? 'met' : 'MISSED'}`;
}

/** The final table: a line for each metric, a column for each side; then the goals. */
export function tableOf(results: Result[]): string {
  const lines: string[] = [];
  for (const { name, title, units, sides, notMeasured, goals } of results) {
    const columns = Object.keys(sides);
    const rows = Object.entries(units).map(([metric, unit]) => [
      `  ${metric}, ${unit}`,
      ...columns.map((side) => {
        const spread = sides[side]?.[metric];
        if (!spread) return 'not measured';
        const { median, min, max, values } = spread;
        return values.length > 1 ? `${short(median)} (${short(min)}..${short(max)})` : short(median);
      }),
    ]);
    const table = [['', ...columns], ...rows];
    const widths = table[0]?.map((_, i) => Math.max(...table.map((row) => (row[i] as string).length))) ?? [];
    lines.push('', `${name}: ${title}`);
    for (const [first = '', ...cells] of table)
      lines.push(
        [first.padEnd(widths[0] ?? 0), ...cells.map((cell, i) => cell.padStart(widths[i + 1] ?? 0))].join('   '),
      );
    for (const [side, why] of Object.entries(notMeasured)) lines.push(`  ${side}: not measured, ${why}`);
    for (const goal of goals) lines.push(`  goal: ${goal.text} ${boundOf(goal)}: ${verdictOf(goal)}`);
  }
  return lines.join('\n');
}
