// The interface of a figure of the benchmark. Each figure is a file in figures/, listed in options.ts.

/** The values of one repetition of one side: metric -> value; the units are in `units`. */
export type Values = Record<string, number>;

/** One repetition of one side. Its directory is empty, on the disk of the checkout, and deleted afterwards. */
export type Run = { side: string; quick: boolean; directory: string; say(text: string): void };

export type Goal = {
  text: string;
  /** A value, or a ratio of sides, computed from the medians; undefined if not measured. */
  of(medians: Record<string, Values>): number | undefined;
  atLeast?: number;
  atMost?: number;
};

export type Figure = {
  name: string;
  title: string;
  /** The sides, which alternate in each repetition. */
  sides: readonly string[];
  /** Set if the figure is too long to repeat. A quick run omits it unless it is named. */
  once?: boolean;
  /** Metric -> unit, in the order of the table. A metric that cannot be measured here has no value. */
  units: Record<string, string>;
  /** Starts servers on free ports (processes.ts also ends them) and measures. Throws if anything was lost. */
  measure(run: Run): Promise<Values>;
  goals: Goal[];
};

/** Thrown by `measure` if a side cannot be run at all, with the reason; the other sides are measured. */
export class NotMeasured extends Error {}

/** The ratio of two medians, for a goal; undefined if one was not measured. */
export const ratio = (one?: number, other?: number): number | undefined =>
  one === undefined || other === undefined ? undefined : one / other;
