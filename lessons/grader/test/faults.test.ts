// The grader finds each planted fault by a check of the step that it belongs to, and none in the same bus without a fault.
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { busChecks } from '../bus/checks.ts';
import { grade, runOnce } from '../grade.ts';
import { FAULTS } from './faults.ts';

const end = new AbortController();
afterAll(() => end.abort());

const bus = join(import.meta.dirname, 'faulty-bus.ts');
const optionsOf = (...fault: string[]) => ({
  commands: { bus: [process.execPath, bus, ...fault] },
  isShort: true,
  signal: end.signal,
});

test('the bus without a fault passes every check', async () => {
  const results = await Array.fromAsync(grade(busChecks, optionsOf()));
  const others = results.filter(({ outcome }) => outcome !== 'passed');
  expect(others.map(({ check, failure }) => [check.name, failure?.failed.message])).toEqual([]);
});

test.concurrent.each(FAULTS)('a bus that $name fails at step $step: $check', async (fault) => {
  const check = busChecks.find(({ name }) => name === fault.check);
  if (!check) throw new Error(`There is no check ${fault.check}.`);
  expect(check.step).toBe(fault.step);
  const plan = 'isFull' in fault ? check.plan : (check.short ?? check.plan);
  const failure = await runOnce(check, plan, optionsOf(fault.name));
  expect(failure?.failed.expected).toBeDefined();
});
