// `npm run chaos` itself, for a few seconds: all its kinds of faults, and what it prints.
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { root } from '../scripts/parts.ts';

test('some seconds of chaos lose nothing, and end with code 0', async () => {
  const args = ['--seed', '1', '--seconds', '6', '--every', '0.5'];
  const { code, output } = await new Promise<{ code: unknown; output: string }>((resolve) => {
    execFile(process.execPath, [join(root, 'scripts', 'chaos.ts'), ...args], (error, stdout, stderr) =>
      resolve({ code: error?.code ?? 0, output: stdout + stderr }),
    );
  });
  expect({ code, output }).toEqual({ code: 0, output: expect.stringContaining('All is right.') });
  expect(output).toContain('Seed 1: 12 faults in 6 s.');
  expect(output).toMatch(/^lost +0$/m);
  expect(output).toMatch(/^writes acknowledged +[1-9]\d* \([1-9]\d* between/m);
}, 120_000);
