// `npm run lesson` as a reader runs it: the list, wrong input, an interruption, and the outcome of each lesson.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import { withNats } from '../../scripts/lib/nats.ts';
import { HOST, root } from '../../scripts/lib/part-process.ts';
import { freePorts } from '../../scripts/lib/port-use.ts';
import { until } from '../../scripts/lib/until.ts';
import { createProgram } from '../runner/processes.ts';
import { STEPS } from '../steps.ts';

const around = mkdtempSync(join(tmpdir(), 'lesson tests '));
afterAll(() => rmSync(around, { recursive: true, force: true }));

/** Runs a lesson with temporary folders of its own. */
function start(args: string[], env: NodeJS.ProcessEnv = {}) {
  const temporary = mkdtempSync(join(around, 'run '));
  const child = spawn(process.execPath, [join(root, 'lessons/runner/main.ts'), ...args], {
    env: { ...process.env, TMPDIR: temporary, TEMP: temporary, NO_COLOR: '1', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [output, errors] = ['', ''];
  child.stdout.on('data', (data) => {
    output += data;
  });
  child.stderr.on('data', (data) => {
    errors += data;
  });
  const closed = once(child, 'close').then(([code]) => ({ code, output, errors, left: readdirSync(temporary) }));
  return { child, output: () => output, closed, temporary };
}

const isAlive = (pid: number) => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

test('without a number it lists the steps', async () => {
  const { code, output } = await start([]).closed;
  expect(code).toBe(0);
  for (const { number, title } of STEPS) expect(output).toContain(`  ${number}  ${title}: `);
});

describe('wrong input', () => {
  test.each([[['three']], [['3', '4']]])('%j is refused in one line', async (args) => {
    const { code, output, errors, left } = await start(args).closed;
    expect([code, output, left]).toEqual([2, '', []]);
    expect(errors).toMatch(/^There is no step ".*": the steps are 1 to 8 .*\n$/);
  });

  test('step 8 without nats-server says how to get it', async () => {
    const { code, output, errors, left } = await start(['8'], { PATH: around, NATS_SERVER: '' }).closed;
    expect([code, output, left]).toEqual([2, '', []]);
    expect(errors).toMatch(/^Step 8 needs nats-server. .*https:\/\/github.com\/nats-io.*\n$/);
  });

  test('a program whose port is in use, or which ends at once, is reported in one line', async () => {
    const [port = 0, free = 0] = await freePorts(2);
    const other = createServer().listen(port, HOST);
    await once(other, 'listening');
    const started = createProgram('bus', 'lessons/1-fan-out/bus.ts', port, around, {});
    await expect(started.start()).rejects.toThrow(new RegExp(`^lessons/1-fan-out/bus.ts .*port ${port}, .*in use.*$`));
    other.close();
    const missing = createProgram('bus', 'lessons/1-fan-out/nothing.ts', free, around, {});
    await expect(missing.start()).rejects.toThrow(
      /^lessons\/1-fan-out\/nothing.ts ended before .*Cannot find module.*$/,
    );
  });
});

describe('an interruption', () => {
  test.each([
    ['SIGINT', '→ bus', 130],
    ['SIGTERM', 'programs start', 130],
    ['SIGKILL', '→ bus', null],
  ] as const)('%s leaves no process and no folder', async (signal, moment, code) => {
    const { child, output, closed, temporary } = start(['1']);
    await until('the moment', () => output().includes(moment));
    const children = execFileSync('pgrep', ['-P', String(child.pid)], { encoding: 'utf8' })
      .trim()
      .split('\n');
    child.kill(signal);
    expect((await closed).code).toBe(code);
    await until('no process is left', () => !children.some((pid) => isAlive(Number(pid))));
    await until('no folder is left', () => readdirSync(temporary).length === 0);
    if (code !== null) expect(output()).toMatch(new RegExp(`${signal}: ends all programs\n$`));
  });
});

describe('the outcome of each lesson', () => {
  for (const { number, folder } of STEPS) {
    const lessonTest = number === 8 ? withNats(test) : test;
    lessonTest(`step ${number} survives its break, which the step before does not, as its README says`, async () => {
      const { code, output, errors, left } = await start([String(number)]).closed;
      const printed = output.match(/^lessons\/.*/gm);
      expect(printed).toEqual(readFileSync(join(root, folder, 'README.md'), 'utf8').match(/^lessons\/.*/gm));
      expect(printed).toHaveLength(number === 1 ? 1 : 2);
      expect([errors, code, left]).toEqual(['', 0, []]);
    });
  }
});
