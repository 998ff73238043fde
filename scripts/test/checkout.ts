// A checkout for one test: these scripts, and six small parts that can be edited, broken and killed.
import { type ChildProcess, spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PARTS } from '@blog/common/run/parts.ts';
import { freeLayout, partOf, portAbove } from '../lib/copies.ts';

const repository = join(import.meta.dirname, '..', '..');

/** A part that answers with `text`, its process id and its parent's. */
export const fakePart = (text: string) => `
import { createServer } from 'node:http';
const server = createServer((_, response) => response.end(JSON.stringify({ text: ${JSON.stringify(text)}, pid: process.pid, ppid: process.ppid })));
server.listen(Number(process.env.PORT), process.env.HOST, () =>
  console.log(JSON.stringify({ level: 30, time: Date.now(), msg: 'listening' })));
process.on('SIGTERM', () => { server.closeAllConnections(); server.close(() => process.exit(0)); });
`;

export const isAlive = (pid: number) => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

type Reply = { text: string; pid: number; ppid: number };

export type Run = {
  process: ChildProcess;
  output: () => string;
  exited: Promise<number | null>;
};

export async function createCheckout(name = "[100% blög] (it's) + ") {
  const root = mkdtempSync(join(tmpdir(), name));
  cpSync(join(repository, 'scripts'), join(root, 'scripts'), {
    recursive: true,
    filter: (path) => !/test$/.test(path),
  });
  for (const name of ['package.json', 'package-lock.json', 'lessons/steps.ts'])
    cpSync(join(repository, name), join(root, name));
  symlinkSync(join(repository, 'node_modules'), join(root, 'node_modules'), 'junction');
  mkdirSync(join(root, 'common', 'src'), { recursive: true });
  const mainOf = (name: string) => join(root, name, name === 'client' ? 'server' : 'src', 'main.ts');
  for (const name of PARTS) {
    mkdirSync(join(mainOf(name), '..'), { recursive: true });
    writeFileSync(mainOf(name), fakePart('first'));
  }
  const ports = await freeLayout(2);
  const runs: Run[] = [];

  /** `by`: the command that runs it. */
  function run(script: string, args: string[] = [], env: NodeJS.ProcessEnv = {}, by: string[] = []): Run {
    const [program = '', ...words] = [...by, process.execPath, join(root, 'scripts', script), ...args];
    const child = spawn(program, words, {
      cwd: root,
      env: { ...process.env, NO_COLOR: '1', ...env },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (data) => {
        output += data;
      });
    }
    const exited = new Promise<number | null>((resolve) => child.once('close', (code) => resolve(code)));
    const started = { process: child, output: () => output, exited };
    runs.push(started);
    return started;
  }

  /** The options of `npm start` for only the named parts, at their ports here. */
  const only = (...names: string[]) => [
    ...PARTS.filter((name) => !names.includes(name)).flatMap((name) => ['--without', name]),
    ...Object.entries(ports).flatMap(([name, port]) => ['--port', `${name}=${port}`]),
  ];

  return {
    root,
    ports,
    run,
    only,
    edit: (name: string, source: string) => writeFileSync(mainOf(name), source),
    /** Runs `npm start` with only the named parts. */
    start: (names: string[], args: string[] = [], env: NodeJS.ProcessEnv = {}, by: string[] = []) =>
      run('run/start.ts', [...only(...names), ...args], env, by),
    /** A fake part's answer, or undefined while it has none; of a copy too (`posts-1`). */
    get: async (name: string): Promise<Reply | undefined> => {
      const port = portAbove(ports[partOf(name)] as number, name);
      try {
        return (await (await fetch(`http://127.0.0.1:${port}/`)).json()) as Reply;
      } catch {
        return undefined;
      }
    },
    remove: async () => {
      for (const started of runs) {
        started.process.kill('SIGTERM');
        await started.exited;
      }
      rmSync(root, { recursive: true, force: true });
    },
  };
}
