// The printed grade: a line for each check, the first failure in full, and the step that the programs have reached.
import { STEPS, type Step } from '../steps.ts';
import type { Check, Part, Plan } from './check.ts';
import { type Failure, type Result, standing } from './grade.ts';

const stepOf = (number: number) => STEPS.find((step) => step.number === number);

/**
 * Prints results as they come: a line each, the first failure in full. Checks that are left out because of the same earlier one
 * share a line.
 */
export function createPrinter(parts: Part[], print: (line: string) => void) {
  let isFirst = true;
  let left: Result[] = [];
  const isOne = parts.length === 1;

  function flush(): void {
    const groups = Map.groupBy(left, ({ check, because }) => `${isOne ? '' : `${check.part}: `}${because}`);
    for (const [because, results] of groups) {
      const numbers = results.map(({ check }) => check.step);
      const [first, last] = [Math.min(...numbers), Math.max(...numbers)];
      const steps = first === last ? `step ${first}` : `steps ${first} to ${last}`;
      print(`left out ${steps}: ${counted(results.length, 'check')}, because this failed: ${because}`);
    }
    left = [];
  }

  return {
    add(result: Result): void {
      const { check, outcome, failure } = result;
      if (outcome === 'left out') {
        left.push(result);
        return;
      }
      flush();
      print(`${outcome === 'passed' ? 'passed  ' : 'FAILED  '} step ${check.step}  ${nameOf(check, parts)}`);
      if (!failure) return;
      const { expected, seen } = failure.failed;
      const lines = isFirst ? inFull(check, failure) : [`expected: ${expected}; seen: ${seen}`];
      for (const line of lines) print(INDENT + line);
      isFirst = false;
    },
    flush,
  };
}

const INDENT = ' '.repeat(17);

/** The title of a check, with the part that it is about if there are several. */
export const nameOf = ({ part, title }: Check, parts: Part[]): string =>
  parts.length > 1 ? `${part}: ${title}` : title;

function inFull({ step, least = {} }: Check, { failed, plan }: Failure): string[] {
  const { sent, expected, seen, output } = failed;
  const lines = [`sent:     ${sent}`, `expected: ${expected}`, `seen:     ${seen}`];
  lines.push(...output.map((line, i) => (i === 0 ? `its output: ${line}` : `            ${line}`)));
  if (Object.keys(least).length > 0) lines.push(`shortest: ${inWords(plan)}`);
  return [...lines, `read:     ${stepOf(step)?.folder}/README.md`];
}

const counted = (count: number, noun: string) => `${count} ${count === 1 ? noun : `${noun}s`}`;

/** `1 event, 2 kills`. */
const inWords = (plan: Plan): string =>
  Object.entries(plan)
    .map(([name, size]) => counted(size, name.replace(/s$/, '')))
    .join(', ');

/** The last lines: the step, and what the next one would bring. */
export function summaryOf(parts: Part[], results: Result[]): string[] {
  const stands = stepOf(standing(results));
  const isOne = parts.length === 1;
  const own = isOne ? `${parts[0] === 'bus' ? 'This bus' : parts[0]} stands` : `${parts.join(', ')} stand together`;
  const place = stands ? `${own} on step ${stands.number}, ${ideaOf(stands, parts)}.` : `${own} before step 1.`;
  const passed = results.filter(({ outcome }) => outcome === 'passed').length;
  const lines = ['', `${passed} of ${counted(results.length, 'check')} passed.`, place];
  const checked = new Set(results.map(({ check }) => check.step));
  const next = STEPS.find(({ number }) => number > (stands?.number ?? 0) && checked.has(number));
  const between = STEPS.find(({ number }) => number === (stands?.number ?? 0) + 1);
  const subject = parts.map((part) => (part === 'bus' ? 'the bus' : part)).join(', ');
  if (between && next && between !== next) {
    const part = between.number === 5 && isOne && parts[0] === 'bus' ? ' It is about posts: grade --posts.' : '';
    lines.push(`Step ${between.number}, ${between.title}, asks nothing new of ${subject}.${part}`);
  }
  if (!next) return [...lines, `Every rule of lessons/contract.md that is about ${subject} is kept.`];
  const isShown = results.some(
    ({ check, outcome }) => outcome === 'failed' && check.step === next.number && check.showsBefore,
  );
  return [
    ...lines,
    `Next is step ${next.number}, ${ideaOf(next, parts)}.`,
    ...(isShown ? [`Without it: ${next.before}`] : []),
    `Read ${next.folder}/README.md`,
  ];
}

/** A line about the options that would tell more, and were not used. */
export function hintOf(isVerbose: boolean, report?: string): string[] {
  const hints = [];
  if (!isVerbose) hints.push('--verbose shows what the program prints');
  if (!report) hints.push('--report FILE.html draws the first check that failed');
  return hints.length > 0 ? [`${hints.join(', ')}.`] : [];
}

/** The title of a step and its idea. Except for the outbox, which belongs to a service, the idea is the bus's. */
const ideaOf = ({ number, title, adds }: Step, parts: Part[]): string =>
  parts.includes('bus') || number === 5 ? `${title}: ${adds}` : title;
