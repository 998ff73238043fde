// The grade of our bus, and of the bus of each step: each gets its own step.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { busChecks } from '../grader/bus/checks.ts';
import { grade as gradeBy, standing } from '../grader/grade.ts';
import { STEPS } from '../steps.ts';
import { type Graded, grade, root } from './grading.ts';

const stepOf = ({ out }: Graded) => out.find((line) => line.startsWith('This bus stands'))?.match(/step \d/)?.[0];

test('our bus passes every check', async () => {
  const graded = await grade(['--short', '--bus', 'node event-bus/src/main.ts']);
  const first = graded.out.findIndex((line) => line.startsWith('FAILED'));
  expect(first < 0 ? [] : graded.out.slice(first, first + 6)).toEqual([]);
  expect(graded).toMatchObject({ code: 0, err: [], left: [] });
  expect(graded.out.filter((line) => line.startsWith('passed')).length).toBeGreaterThanOrEqual(30);
  expect(graded.out).toContainEqual(expect.stringMatching(/^(\d+) of \1 checks passed\.$/));
  expect(stepOf(graded)).toBe('step 7');
});

const end = new AbortController();
afterAll(() => end.abort());

const fileOf = (number: number) => join(root, `${STEPS[number - 1]?.folder}/bus.ts`);

/** Each step with the check of the next one that its bus fails. */
const STANDS: [step: number, fails: string[]][] = [
  [1, ['log']],
  [2, ['away']],
  [3, ['ids']],
  [4, ['poison']],
  [6, ['headers']],
  [7, []],
];

// The checks that decide, because starts cost time: those of the step itself and one of the next; of the last step all.
test.each(STANDS)('the bus of step %i stands on it', async (number, fails) => {
  const deciding = busChecks.filter(({ step, name }) => step === number || number === 7 || fails.includes(name));
  const commands = { bus: ['node', fileOf(number)] };
  const results = await Array.fromAsync(gradeBy(deciding, { commands, isShort: true, signal: end.signal }));
  const others = results.filter(({ outcome }) => outcome !== 'passed');
  expect(others.map(({ check, failure }) => [check.name, failure?.failed.message])).toEqual(
    fails.map((name) => [name, expect.any(String)]),
  );
  expect(standing(results)).toBe(number);
});

test('the bus of step 5, which is about posts, is that of step 4', () => {
  const [four, five] = [4, 5].map((number) => readFileSync(fileOf(number), 'utf8').split('\n').slice(1));
  expect(five).toEqual(four);
});
