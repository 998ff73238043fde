// The grader as a bus before our services and before the naive ones.
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import type { Check, Part } from '../check.ts';
import { grade, type Result, standing } from '../grade.ts';
import { renderReport, reportOf } from '../report.ts';
import { serviceChecks } from '../services/checks.ts';

const root = join(import.meta.dirname, '../../..');

/** Grades one service by all checks of it, or by some. */
async function gradeService(part: Part, file: string, isWanted = (_: Check) => true): Promise<Result[]> {
  const checks = serviceChecks.filter((check) => check.part === part && isWanted(check));
  const commands = { [part]: ['node', file] };
  const results: Result[] = [];
  const { signal } = new AbortController();
  for await (const result of grade(checks, { commands, isShort: true, signal })) results.push(result);
  return results;
}

const failures = (results: Result[]) =>
  results.filter(({ outcome }) => outcome === 'failed').map(({ check, failure }) => [check.name, failure?.failed.seen]);

test.each(['posts', 'comments', 'query', 'moderation'] as const)(
  'our %s keeps every rule of every step',
  async (part) => {
    const results = await gradeService(part, join(root, part, 'src/main.ts'));
    expect(failures(results)).toEqual([]);
    expect(standing(results)).toBe(7);
  },
);

test.each([
  ['posts', 1, ['kill', 'nothing']],
  ['comments', 1, ['kill', 'nothing']],
  ['moderation', 5, ['no-ids', 'answered 200']],
] as const)('the naive %s stands on step %i', async (part, step, failure) => {
  const isDeciding = (check: Check) => check.step === step || check.name === failure[0];
  const results = await gradeService(part, join(root, 'bench/naive', `${part}.ts`), isDeciding);
  expect(standing(results)).toBe(step);
  expect(failures(results)[0]).toEqual(failure);
});

test('the naive query stands on step 3, and a second grade gives the same report, which marks the event that came twice', async () => {
  const report = async () => {
    const isWanted = ({ name, step }: Check) => step === 3 || name === 'twice';
    const results = await gradeService('query', join(root, 'bench/naive/query.ts'), isWanted);
    expect(standing(results)).toBe(3);
    return renderReport(reportOf(['--query', 'node query.ts'], results, ['', '1 of 2 checks passed.']));
  };
  const html = await report();
  expect(await report()).toBe(html);
  expect(html).toContain('<strong>Step 4: query: an event that comes twice is shown once');
  expect(html).toContain('comment-1 pending is there twice');
  expect(html).toMatch(/class="band"/);
});
