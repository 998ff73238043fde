// `npm run chaos` itself: some seconds with all kinds of faults, an interruption, and a run against the classic
// version.
import { mkdtempSync, readdirSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { executablePath } from '../lib/chromium.ts';
import { runScript } from '../lib/script.ts';
import { KINDS } from './schedule.ts';

/** Runs it with its own folder for temporary files. `interruptAt`: sends SIGINT once this text was printed. */
async function runChaos(args: string, interruptAt?: string) {
  const folder = mkdtempSync(join(tmpdir(), 'blog chaos '));
  const ended = await runScript(
    'e2e/chaos/chaos.ts',
    args.split(' '),
    { env: { ...process.env, TMPDIR: folder } },
    (child) => child.stdout?.on('data', (text) => interruptAt && text.includes(interruptAt) && child.kill('SIGINT')),
  );
  const left = readdirSync(folder);
  if (left.length === 0) rmdirSync(folder);
  return { ...ended, left };
}

test('some seconds of chaos with faults of every kind lose nothing, and end with code 0', async () => {
  const ended = await runChaos('--seed 1 --seconds 4 --every 0.4');
  expect(ended).toEqual({ code: 0, output: expect.stringContaining('All checks passed.'), left: [] });
  const { output } = ended;
  expect(output).toContain('Seed 1: 10 faults in 4 s.');
  for (const kind of KINDS) expect(output).toMatch(new RegExp(`^${kind} .*[1-9]$`, 'm'));
  expect(output).not.toContain('not caused');
  expect(output).toMatch(/^lost +0$/m);
  expect(output).toMatch(/^writes acknowledged +[1-9]\d* \([1-9]\d* between/m);
  const page = executablePath ? /^the page in a browser +open all the time, [1-9]/m : /no browser was found$/m;
  expect(output).toMatch(page);
  expect(output).toMatch(/^counts as evidence +no: .*\d of 20000 writes/m);
});

test('interrupted it ends with code 130 and leaves neither file nor mount', async () => {
  const ended = await runChaos('--seconds 60 --every 0.2', 'Starting all parts');
  expect(ended).toEqual({ code: 130, output: expect.stringContaining('SIGINT: stopping'), left: [] });
});

test('the classic version loses what it acknowledged when the same parts are killed', async () => {
  const ended = await runChaos('--naive --seed 1 --seconds 2 --every 0.25 --kills-only');
  expect(ended).toEqual({ code: 0, output: expect.stringMatching(/^lost +[1-9]\d* \(owner/m), left: [] });
});
