// The grade of our bus, and of the bus of each step of the stairs: each gets its own step.
import { expect, test } from '@jest/globals';
import { STEPS } from '../steps.ts';
import { type Graded, grade } from './grading.ts';

const stepOf = ({ out }: Graded) => out.find((line) => line.startsWith('This bus stands'))?.match(/step \d/)?.[0];
/** The first failure, as it is printed, if it is one of these steps. */
const wrong = ({ out }: Graded, stands: number) => {
  const first = out.findIndex((line) => line.startsWith('FAILED'));
  return first >= 0 && Number(/step (\d)/.exec(out[first] ?? '')?.[1]) <= stands ? out.slice(first, first + 6) : [];
};

test('our bus passes every check', async () => {
  const graded = await grade(['--short', '--bus', 'node event-bus/src/main.ts']);
  expect(wrong(graded, 7)).toEqual([]);
  expect(graded).toMatchObject({ code: 0, err: [], left: [] });
  expect(graded.out.filter((line) => line.startsWith('passed')).length).toBeGreaterThanOrEqual(30);
  expect(graded.out).toContainEqual(expect.stringMatching(/^(\d+) of \1 checks passed\.$/));
  expect(stepOf(graded)).toBe('step 7');
});

/** The step of the stairs that a bus alone shows: step 5 is about posts. */
const STANDS: [number, number][] = [1, 2, 3, 4, 6, 7].map((step) => [step, step]);

test.each([...STANDS, [5, 4]])('the bus of step %i stands on step %i', async (number, stands) => {
  const folder = STEPS.find((step) => step.number === number)?.folder;
  const graded = await grade(['--short', '--bus', `node ${folder}/bus.ts`]);
  expect(wrong(graded, stands)).toEqual([]);
  expect(graded).toMatchObject({ code: stands === 7 ? 0 : 1, err: [], left: [] });
  expect(stepOf(graded)).toBe(`step ${stands}`);
});
