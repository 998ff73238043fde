// Starts the programs of a lesson, and ends them: each one ends with the runner, even if that is killed.
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { HOST, root } from '../../scripts/lib/part-process.ts';
import { answers, whyTaken } from '../../scripts/lib/port-use.ts';

const endWithParent = pathToFileURL(join(root, 'scripts', 'lib', 'end-with-parent.ts')).href;

/** A program that did not start, with the reason in one line. */
export class NotStarted extends Error {}

export type Program = ReturnType<typeof createProgram>;

/** A Node program on a port of its own. `folder` is its DATA_DIR and its working directory. */
export function createProgram(name: string, file: string, port: number, folder: string, env: NodeJS.ProcessEnv) {
  let child: ChildProcess | undefined;
  let output = '';
  let isOver = false;

  async function kill(): Promise<void> {
    const running = child;
    child = undefined;
    if (!running || running.exitCode !== null || running.signalCode !== null) return;
    const ended = once(running, 'exit');
    running.kill('SIGKILL');
    await ended;
  }

  return {
    name,
    file,
    port,
    folder,

    /** Starts the process; resolves once it listens. */
    async start(): Promise<void> {
      const taken = await whyTaken(port);
      if (isOver) throw new Error(`${file} is not started any more: the lesson is over`);
      if (taken) throw new NotStarted(`${file} was to listen on port ${port}, which is ${taken}: try again.`);
      mkdirSync(folder, { recursive: true });
      output = '';
      const started = fork(join(root, file), [], {
        cwd: folder,
        env: {
          ...process.env,
          NODE_COMPILE_CACHE: join(root, 'node_modules', '.cache', 'compile'),
          ...{ HOST, PORT: String(port), DATA_DIR: folder, ...env },
        },
        execArgv: ['--import', endWithParent],
        stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
        // Ctrl-C reaches only the runner.
        detached: process.platform !== 'win32',
        windowsHide: true,
      });
      child = started;
      for (const stream of [started.stdout, started.stderr]) {
        stream?.on('data', (data) => {
          output = `${output}${data}`.slice(-10_000);
        });
      }
      const hasEnded = () => child !== started || started.exitCode !== null || started.signalCode !== null;
      while (!(await answers(port, HOST))) {
        if (hasEnded()) throw new NotStarted(`${file} ended before it listened on port ${port}: ${reasonIn(output)}`);
        await pause(40);
      }
    },

    /** Ends the process at once, as `kill -9` does. */
    kill,
    /** Ends it for good. */
    end(): Promise<void> {
      isOver = true;
      return kill();
    },

    /** The reason why the process is not there, although it was not killed; undefined if all is well. */
    failure: () =>
      child && (child.exitCode !== null || child.signalCode !== null)
        ? `${file} ended by itself: ${reasonIn(output)}`
        : undefined,
  };
}

/** The line of a program's output that names the error. */
function reasonIn(output: string): string {
  const lines = output.split('\n').filter((line) => line.trim() !== '');
  return (lines.find((line) => /^(\w*Error|\w+ \[ERR|\[)/.test(line)) ?? lines.at(-1) ?? 'it printed nothing').trim();
}
