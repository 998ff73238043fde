// The printed grade: a line for each check, the first failure in full, and how far up the stairs the programs stand.
import { STEPS } from '../steps.ts';
import type { Check, Part, Plan } from './check.ts';
import { type Failure, type Result, standing } from './grade.ts';

const stepOf = (number: number) => STEPS.find((step) => step.number === number);

/**
 * Prints results as they come: a line each, the first failure in full. Checks that are left out because of earlier ones share a
 * line.
 */
export function createPrinter(parts: Part[], print: (line: string) => void) {
  let isFirst = true;
  let left: Check[] = [];

  function flush(): void {
    const [first, last] = [left[0]?.step, left.at(-1)?.step];
    const steps = first === last ? `step ${first}` : `steps ${first} to ${last}`;
    if (left.length > 0) print(`left out ${steps}: ${counted(left.length, 'check')}, because of one above that failed`);
    left = [];
  }

  return {
    add({ check, outcome, failure }: Result): void {
      if (outcome === 'left out') {
        left.push(check);
        return;
      }
      flush();
      const who = parts.length > 1 ? `${check.part}: ` : '';
      print(`${outcome === 'passed' ? 'passed  ' : 'FAILED  '} step ${check.step}  ${who}${check.title}`);
      if (!failure) return;
      const lines = isFirst ? inFull(check, failure) : [`seen: ${failure.failed.seen}`];
      for (const line of lines) print(INDENT + line);
      isFirst = false;
    },
    flush,
  };
}

const INDENT = ' '.repeat(17);

function inFull({ step, least = {} }: Check, { failed, plan }: Failure): string[] {
  const { sent, expected, seen } = failed;
  const lines = [`sent:     ${sent}`, `expected: ${expected}`, `seen:     ${seen}`];
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
  const place = stands ? `${own} on step ${stands.number}, ${stands.title}: ${stands.adds}.` : `${own} before step 1.`;
  const passed = results.filter(({ outcome }) => outcome === 'passed').length;
  const lines = ['', `${passed} of ${counted(results.length, 'check')} passed.`, place];
  const checked = new Set(results.map(({ check }) => check.step));
  const next = STEPS.find(({ number }) => number > (stands?.number ?? 0) && checked.has(number));
  const between = STEPS.find(({ number }) => number === (stands?.number ?? 0) + 1);
  if (between && next && between !== next) {
    const part = between.number === 5 && isOne && parts[0] === 'bus' ? ' It is about posts: grade --posts.' : '';
    lines.push(`Step ${between.number}, ${between.title}, asks nothing new of ${parts.join(', ')}.${part}`);
  }
  if (!next) return [...lines, 'Every rule that applies is kept.'];
  return [
    ...lines,
    `Next is step ${next.number}, ${next.title}: ${next.adds}.`,
    ...(next.before ? [`Without it: ${next.before}`] : []),
    `Read ${next.folder}/README.md`,
  ];
}
