// The printed grade: a line for each check, the first failure in full, and how far up the stairs the programs stand.
import { STEPS } from '../steps.ts';
import type { Part, Plan } from './check.ts';
import { type Result, standing } from './grade.ts';

const stepOf = (number: number) => STEPS.find((step) => step.number === number);

/** The lines of one result; `isFirst`: the first failure, which is told in full. */
export function linesOf({ check, outcome, because, failure }: Result, isFirst: boolean): string[] {
  const { step, part, title } = check;
  const about = `step ${step}  ${part}: ${title}`;
  if (outcome === 'passed') return [`passed   ${about}`];
  if (outcome === 'left out') return [`left out ${about} (it needs: ${because})`];
  if (!failure) return [`FAILED   ${about}`];
  const { sent, expected, seen } = failure.failed;
  if (!isFirst) return [`FAILED   ${about}`, `         seen: ${seen}`];
  return [
    `FAILED   ${about}`,
    `         sent:     ${sent}`,
    `         expected: ${expected}`,
    `         seen:     ${seen}`,
    ...(Object.keys(check.least ?? {}).length > 0
      ? [`         shortest run that shows it: ${inWords(failure.plan)}`]
      : []),
    `         read:     ${stepOf(step)?.folder}/README.md`,
  ];
}

/** `1 event, 2 kills`. */
const inWords = (plan: Plan): string =>
  Object.entries(plan)
    .map(([name, size]) => `${size} ${size === 1 ? name.replace(/s$/, '') : name}`)
    .join(', ');

/** The last lines: the step, and what the next one would bring. */
export function summaryOf(parts: Part[], results: Result[]): string[] {
  const stands = standing(results);
  const who = parts.length > 1 ? `${parts.slice(0, -1).join(', ')} and ${parts.at(-1)}` : (parts[0] as string);
  const [verb, own] = parts.length > 1 ? ['stand', 'These programs'] : ['stands', `This ${who}`];
  const steps = [...new Set(results.map(({ check }) => check.step))].sort((a, b) => a - b);
  const count = (wanted: string) => results.filter(({ outcome }) => outcome === wanted).length;
  const left = count('left out');
  const counted = `${count('passed')} of ${results.length} checks passed${left > 0 ? `, ${left} were left out` : ''}.`;
  const step = stepOf(stands);
  const place = step
    ? `${own} ${verb} on step ${stands}, ${step.title}: ${step.adds}.`
    : `${own} ${verb} before step 1.`;
  const next = stepOf(steps.find((number) => number > stands) ?? 0);
  const outlook = next
    ? [
        `Next is step ${next.number}, ${next.title}: ${next.adds}. ${next.before}`.trim(),
        `Read ${next.folder}/README.md`,
      ]
    : [`All that is checked of ${who} is there.`];
  return ['', counted, place, ...outlook];
}
