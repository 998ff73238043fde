// A terminal as a reader uses it: a bash in a folder, into which lines are typed one after another.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root } from '../../scripts/lib/part-process.ts';
// @ts-expect-error plain JavaScript, see there
import { isInstalled } from '../../scripts/lib/setup.mjs';
import { until } from './http.ts';

// Jobs have their own process groups, as in an interactive shell. Its input ends when this process does, even by
// SIGKILL, and then the jobs end too.
const BEGIN = `set -m
trap 'for job in $(jobs -p); do kill -TERM -- -$job; done; wait' EXIT
`;

export type Terminal = ReturnType<typeof openTerminal>;

export function openTerminal(folder: string, env: NodeJS.ProcessEnv = {}) {
  const shell = spawn('bash', [], {
    cwd: folder,
    env: { ...process.env, NO_COLOR: '1', npm_config_loglevel: 'error', ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [shell.stdout, shell.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => {
      output += text;
      if (process.env.E2E_LOG) process.stderr.write(text);
    });
  }
  shell.stdin.write(BEGIN);
  let typed = 0;

  /**
   * Types a line and waits until it is done; returns its output. `since` returns later output, also of background jobs.
   */
  async function type(line: string, within = 60_000): Promise<{ printed: string; since(): string }> {
    const start = output.length;
    typed += 1;
    const prompt = `\n<prompt ${typed}>\n`;
    // bash reads a group completely before running it; no command in it may read our next lines.
    shell.stdin.write(`{\n${line}\n} < /dev/null 2>&1\nprintf '\\n<prompt %s>\\n' ${typed}\n`);
    const since = () => output.slice(start).replace(/\n<prompt \d+>\n/g, '');
    await until(`done: ${line}`, () => output.indexOf(prompt, start) >= 0, within).catch((error) => {
      throw new Error(`${error.message}\n${since()}`);
    });
    return { printed: output.slice(start, output.indexOf(prompt, start)), since };
  }

  return {
    type,
    /** Presses Ctrl-C for a line that was started with `&`; resolves once it has ended. */
    interrupt: () => type('kill -INT %%; wait'),
    async close(): Promise<void> {
      const closed = once(shell, 'close');
      shell.stdin.end();
      await closed;
    },
  };
}

/** Copies this repository, with packages installed and no data, into a folder of this name; `remove` deletes it. */
export function copyRepository(name = 'blog') {
  // Otherwise `npm start` would install them there.
  if (!isInstalled(root)) throw new Error('The packages are not those of package-lock.json: npm ci');
  const around = mkdtempSync(join(tmpdir(), 'blog typed '));
  const folder = join(around, name);
  const isSource = (name: string) => !['node_modules', '.git', '.data'].includes(name);
  for (const name of readdirSync(root).filter(isSource))
    cpSync(join(root, name), join(folder, name), {
      recursive: true,
      filter: (path) => !path.endsWith('node_modules'),
    });
  // A real folder, because tools keep their caches in it.
  for (const packages of ['node_modules', join('client', 'node_modules')]) {
    mkdirSync(join(folder, packages));
    for (const { name, isDirectory } of entriesOf(join(root, packages))) {
      const [from, to] = [join(root, packages, name), join(folder, packages, name)];
      if (isDirectory) symlinkSync(from, to, 'junction');
      else copyFileSync(from, to);
    }
  }
  return { folder, remove: () => rmSync(around, { recursive: true, force: true, maxRetries: 5 }) };
}

/** The installed packages, without caches such as `.cache` and `.vite`. */
const entriesOf = (folder: string) =>
  readdirSync(folder, { withFileTypes: true })
    .filter(({ name }) => name === '.bin' || name === '.package-lock.json' || !name.startsWith('.'))
    .map((entry) => ({ name: entry.name, isDirectory: !entry.isFile() }));
