// Runs `npm run grade` as a person does, in a process of its own, with temporary folders that the test looks into.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from '../../scripts/lib/until.ts';
import { MARK, processesOf } from '../grader/processes.ts';

export const root = join(import.meta.dirname, '..', '..');
const main = join(root, 'lessons', 'grader', 'main.ts');

export type Graded = {
  code: number | null;
  out: string[];
  err: string[];
  /** The files and processes that are left. */
  left: string[];
};

/** Grades; `heard` is called with all output so far, and may end the grader by a signal. */
export async function grade(
  args: string[],
  heard: (out: string, end: (signal: NodeJS.Signals) => void) => void = () => {},
): Promise<Graded> {
  const folder = mkdtempSync(join(tmpdir(), 'grading-'));
  const child = spawn(process.execPath, [main, ...args], { cwd: root, env: { ...process.env, TMPDIR: folder } });
  // One signal only: when the grader is ending, it has no handler any more.
  let isEnded = false;
  const end = (signal: NodeJS.Signals) => {
    if (!isEnded) child.kill(signal);
    isEnded = true;
  };
  let out = '';
  let err = '';
  child.stdout.on('data', (chunk) => {
    out += chunk;
    heard(out, end);
  });
  child.stderr.on('data', (chunk) => {
    err += chunk;
  });
  const [code, signal] = await once(child, 'close');
  // The mark of each graded program begins with the grader's own id.
  const processes = () => processesOf(`${child.pid}-`, [folder]).map((pid) => `${MARK} ${pid}`);
  const leftovers = () => [...readdirSync(folder), ...processes()];
  // Another process does the work of one that was killed, a moment later.
  if (signal) await until('nothing is left', () => leftovers().length === 0);
  const left = leftovers();
  rmSync(folder, { recursive: true });
  return { code, out: lines(out), err: lines(err), left };
}

const lines = (text: string) => text.split('\n').filter(Boolean);

/** A file with this program, and the command that runs it. */
export function program(code: string): { command: string; remove(): void } {
  const folder = mkdtempSync(join(tmpdir(), 'program-'));
  const file = join(folder, 'program.mjs');
  writeFileSync(file, code);
  return { command: `node '${file}'`, remove: () => rmSync(folder, { recursive: true }) };
}
