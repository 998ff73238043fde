// What a figure of the benchmark is. Each is a file of its own in figures/, named in options.ts.

/** What one repetition of one side measured: metric -> value; each metric's unit stands in `units`. */
export type Values = Record<string, number>;

/** One repetition of one side. Its directory is empty, on the disk of the checkout, and deleted afterwards. */
export type Run = { side: string; quick: boolean; directory: string; say(text: string): void };

export type Goal = {
  text: string;
  /** A value, or a ratio of sides, from the medians; undefined: not measured. */
  of(medians: Record<string, Values>): number | undefined;
  atLeast?: number;
  atMost?: number;
};

export type Figure = {
  name: string;
  title: string;
  /** Run alternating, side by side, in each repetition. */
  sides: readonly string[];
  /** Too long to repeat; left out of a quick run that does not name it. */
  once?: boolean;
  /** Metric -> unit, in the order of the table. A metric that cannot be measured here is left out of the values. */
  units: Record<string, string>;
  /** Starts what it needs on free ports (see processes.ts, which also ends it), and throws if anything was lost. */
  measure(run: Run): Promise<Values>;
  goals: Goal[];
};

/** Thrown by `measure` where a side cannot be run at all, with the reason; the rest goes on. */
export class NotMeasured extends Error {}

/** Of two medians, for a goal; undefined if one was not measured. */
export const ratio = (one?: number, other?: number): number | undefined =>
  one === undefined || other === undefined ? undefined : one / other;
