// Runs a script of this repository to its end, as npm does.
import { type ChildProcess, type ExecFileOptions, execFile } from 'node:child_process';
import { join } from 'node:path';
import { root } from '../../scripts/lib/part-process.ts';

/** The exit code of a script, and all that it printed. */
type Ended = { code: number; output: string };

/** Runs `scripts/data/backup.ts`, for example. `use` gets the running process, to send it a signal. */
export function runScript(
  path: string,
  args: string[],
  options: ExecFileOptions = {},
  use?: (child: ChildProcess) => void,
): Promise<Ended> {
  return new Promise((resolve) => {
    const all = { ...options, encoding: 'utf8' } as const;
    const child = execFile(process.execPath, [join(root, path), ...args], all, (error, stdout, stderr) =>
      resolve({ code: Number(error?.code ?? 0), output: stdout + stderr }),
    );
    use?.(child);
  });
}
