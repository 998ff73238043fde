// The schedule of a chaos run.

import { SERVERS } from '@blog/common/run/parts.ts';
import { expect, test } from '@jest/globals';
import { runScript } from '../lib/script.ts';
import { createSchedule, KINDS } from './schedule.ts';

const options = { seed: 42, seconds: 100, every: 0.5, killsOnly: false };

test('the same seed gives the same faults at the same times, another one others', () => {
  expect(createSchedule(options)).toEqual(createSchedule(options));
  expect(createSchedule({ ...options, seed: 43 })).not.toEqual(createSchedule(options));
});

test('every kind of fault comes, even when there are only a few', () => {
  for (let seed = 1; seed < 20; seed++) {
    const few = createSchedule({ ...options, seed, seconds: KINDS.length, every: 1 });
    expect(few.map(({ kind }) => kind).sort()).toEqual([...KINDS].sort());
  }
});

test('with --kills-only kills are spread evenly over the servers, within the time', () => {
  const faults = createSchedule({ ...options, killsOnly: true });
  expect(faults).toHaveLength(200);
  expect(faults.filter(({ kind }) => kind !== 'kill')).toEqual([]);
  const times = faults.map(({ at }) => at);
  expect(times).toEqual(times.toSorted((a, b) => a - b));
  expect(times.at(-1)).toBeLessThan(100_000);
  const kills = SERVERS.map((name) => faults.filter(({ part }) => part === name).length);
  expect(Math.max(...kills) - Math.min(...kills)).toBeLessThanOrEqual(2);
  expect(Math.min(...kills)).toBeGreaterThan(30);
});

test.each([[['--seconds', 'soon']], [['--seconds', '0']], [['--seed', '1.5']], [['--every', '0']], [['--unknown']]])(
  'wrong usage ends with code 2 and says what is right: %j',
  async (args) => {
    const { code, output } = await runScript('e2e/chaos/chaos.ts', args);
    expect({ code, output }).toEqual({ code: 2, output: expect.stringContaining('Usage: npm run chaos') });
  },
);
