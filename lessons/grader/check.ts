// A check: one rule of the contract, the step that it belongs to, and the run that shows if a program keeps it.
import type { Run } from './run.ts';

/** The programs that can be graded. */
export const PARTS = ['bus', 'posts', 'comments', 'query', 'moderation'] as const;
export type Part = (typeof PARTS)[number];

/** The sizes of a run, by name: `{ events: 20, subscribers: 4, kills: 3 }`. */
export type Plan = Record<string, number>;

export type Check = {
  /** A short name, by which other checks name it in `needs`. */
  name: string;
  part: Part;
  /** The step that teaches this rule. */
  step: number;
  /** The rule, as a sentence without a full stop. */
  title: string;
  /** The full size, the size with `--short`, and the smallest that makes sense; each `{}` if there is nothing to vary. */
  plan: Plan;
  short?: Plan;
  least?: Plan;
  /** Names of checks of the same part. If one of them fails, this check has no meaning, and is left out. */
  needs?: string[];
  /** Checks of one scene that follow one another share a started program, until one of them fails: a start takes long. */
  scene?: string;
  /** It takes minutes: it is run and printed when all others are through. */
  isLong?: true;
  /** Its failure shows what the step before cannot do: `before` in the list of the steps. */
  showsBefore?: true;
  /** Works through the plan of the run. Throws `Failed` if the program breaks the rule. */
  run(run: Run): Promise<void>;
};

/** A rule is broken: what the program was given, what the contract expects, and what was seen. Without times, ports or random ids. */
export class Failed extends Error {
  sent: string;
  expected: string;
  seen: string;
  /** The keys of the events that went missing, came twice or were altered: the report marks them. */
  about: string[];
  /** The errors that the program has written meanwhile. */
  output: string[] = [];

  constructor(sent: string, expected: string, seen: string, about: string[] = []) {
    super(`${expected}; ${seen}`);
    this.sent = sent;
    this.expected = expected;
    this.seen = seen;
    this.about = about;
  }
}

/** A program cannot be graded at all, for the reason in the message: one line. */
export class NotGradable extends Error {}
