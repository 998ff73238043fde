// The grader finds each planted fault by a check of the step that it belongs to, and none in the same program without a fault.
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { busChecks } from '../bus/checks.ts';
import type { Part } from '../check.ts';
import { grade, runOnce } from '../grade.ts';
import { serviceChecks } from '../services/checks.ts';
import { FAULTS, MODERATION_FAULTS } from './faults.ts';

const end = new AbortController();
afterAll(() => end.abort());

const optionsOf = (part: Part, ...fault: string[]) => ({
  commands: { [part]: [process.execPath, join(import.meta.dirname, `faulty-${part}.ts`), ...fault] },
  isShort: true,
  signal: end.signal,
});

const checksOf = (part: Part) => [...busChecks, ...serviceChecks].filter((check) => check.part === part);

test.concurrent.each(['bus', 'moderation'] as const)(
  'the %s without a fault passes the checks that find one',
  async (part) => {
    const deciding = checksOf(part).filter(({ name }) =>
      faults.some((fault) => fault.part === part && fault.check === name),
    );
    const results = await Array.fromAsync(grade(deciding, optionsOf(part)));
    const others = results.filter(({ outcome }) => outcome !== 'passed');
    expect(others.map(({ check, failure }) => [check.name, failure?.failed.message])).toEqual([]);
  },
);

type Fault = { name: string; step: number; check: string; isFull?: boolean };
const faults: (Fault & { part: Part })[] = [
  ...FAULTS.map((fault) => ({ part: 'bus' as const, ...fault })),
  ...MODERATION_FAULTS.map((fault) => ({ part: 'moderation' as const, ...fault })),
];

test.concurrent.each(faults)('a $part that $name fails at step $step: $check', async (fault) => {
  const check = checksOf(fault.part).find(({ name }) => name === fault.check);
  if (!check) throw new Error(`There is no check ${fault.check}.`);
  expect(check.step).toBe(fault.step);
  const plan = fault.isFull ? check.plan : (check.short ?? check.plan);
  const failure = await runOnce(check, plan, optionsOf(fault.part, fault.name));
  expect(failure?.failed.expected).toBeDefined();
});
