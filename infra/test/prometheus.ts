// Finds the real Prometheus and its promtool.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { describe } from '@jest/globals';
import { root } from './project.ts';

const name = (tool: string) => (process.platform === 'win32' ? `${tool}.exe` : tool);

/** The path in PROMETHEUS if it is set, else on the PATH. */
function find(): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/opt/homebrew/bin'];
  return process.env.PROMETHEUS || folders.map((folder) => join(folder, name('prometheus'))).find(existsSync);
}
const found = find();

/** Jest's `describe`, skipped without Prometheus; with REQUIRE_PROMETHEUS set its tests fail instead. */
export const describePrometheus = found || process.env.REQUIRE_PROMETHEUS ? describe : describe.skip;

/** The path of its program; promtool is beside it. */
export function prometheus(): string {
  if (found && existsSync(found)) return found;
  throw new Error('No Prometheus was found: install it, or set PROMETHEUS to its path.');
}

/** The output of `promtool`, and its exit code. */
export function promtool(...args: string[]) {
  const tool = join(dirname(prometheus()), name('promtool'));
  const { status, stdout, stderr, error } = spawnSync(tool, args, { cwd: root, encoding: 'utf8' });
  if (error) throw error;
  return { status, output: `${stdout}${stderr}` };
}
