// From the values of all runs to medians, spreads and goals met or missed.
import type { Figure, Goal, Values } from './figure.ts';

/** Middle, smallest and largest of all repetitions; `values` in the order in which they were measured. */
export type Spread = { median: number; min: number; max: number; values: number[] };
export type Judged = { text: string; value?: number; atLeast?: number; atMost?: number; met?: boolean };
export type Result = {
  name: string;
  title: string;
  units: Record<string, string>;
  /** Side -> metric -> spread. */
  sides: Record<string, Record<string, Spread>>;
  /** Side -> why it was not measured. */
  notMeasured: Record<string, string>;
  goals: Judged[];
};

/** Of an even number of values: halfway between the two in the middle. */
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

/** Of one figure; `runs` are the values of each side's repetitions. */
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

/** Of an error that may say much: of a runner's output the line that names a port in use, else the first. */
export function oneLine(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  return lines.find((line) => /cannot listen|already in use|EADDRINUSE/.test(line)) ?? lines[0] ?? 'unknown';
}

/** Three digits are more than a noisy machine gives. */
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

/** The table that is printed in the end: a line for each metric, a column for each side; then the goals. */
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
