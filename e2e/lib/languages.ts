// The moderation services of lessons/other-languages as processes, each run by its own language.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { test } from '@jest/globals';
import { root } from '../../scripts/lib/part-process.ts';
import { until } from './http.ts';

const folder = join(root, 'lessons', 'other-languages');

type Language = {
  /** Exits with 0 where the language is installed. */
  version: [program: string, option: string];
  /** The command that runs the service. `built`: an empty folder for a compiler. */
  command(built: string): [program: string, ...args: string[]];
};

export const LANGUAGES: Record<string, Language> = {
  Python: { version: ['python3', '--version'], command: () => ['python3', join(folder, 'moderation.py')] },
  'Python with a checkpoint': {
    version: ['python3', '--version'],
    command: () => ['python3', join(folder, 'moderation_checkpointed.py')],
  },
  Go: {
    version: ['go', 'version'],
    command(built) {
      const program = join(built, 'moderation');
      // Without cgo no C compiler is needed, and what .ci/run has compiled for other programs is used again.
      const env = { ...process.env, CGO_ENABLED: '0' };
      const { status, stderr } = spawnSync('go', ['build', '-o', program, join(folder, 'moderation.go')], { env });
      if (status !== 0) throw new Error(`go build: ${stderr}`);
      return [program];
    },
  },
  // Its compiler runs at each start; with less optimization both take half the time.
  Java: {
    version: ['java', '--version'],
    command: () => ['java', '-XX:TieredStopAtLevel=1', join(folder, 'Moderation.java')],
  },
};

/** Jest's `test`, skipped where the language is not installed; with REQUIRE_LANGUAGES set, these tests fail instead. */
export function testIn(language: string) {
  const [program, option] = (LANGUAGES[language] as Language).version;
  const isInstalled = spawnSync(program, [option]).status === 0;
  return isInstalled || process.env.REQUIRE_LANGUAGES ? test : test.skip;
}

/** Starts a service and waits until it listens. Throws if it ends instead. */
export async function startIn(command: [string, ...string[]], env: NodeJS.ProcessEnv) {
  const [program, ...args] = command;
  const child = spawn(program, args, {
    env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (data) => {
      output += data;
    });
  }
  let hasEnded = false;
  const ended = once(child, 'close').then(() => {
    hasEnded = true;
  });
  await until(`${program} listens or ends`, () => hasEnded || output.includes('listening'));
  if (hasEnded) throw new Error(`${command.join(' ')} ended\n${output}`);
  return {
    output: () => output,
    async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
      child.kill(signal);
      await ended;
    },
  };
}
