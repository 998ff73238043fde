// Starts servers for a figure, and ends all of them when its run is over, whatever happens.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { SERVERS, urlSetting } from '@blog/common/run/parts.ts';
import { startProcess, startSystem } from '../e2e/lib/system.ts';
import { HOST } from '../scripts/lib/part-process.ts';
import { freePorts } from '../scripts/lib/port-use.ts';

/** The five servers of one side. */
export type Blog = { url: (part: string) => string; pids: number[] };

type Started = { stop(): Promise<unknown> };
const started = new Set<Promise<Started>>();

/** Registers a server that is starting, so that it is ended with the run. */
export function keep<T extends Started>(starting: Promise<T>): Promise<T> {
  started.add(starting);
  return starting;
}

/** Ends all servers started since the last call, also those that are still starting; throws the first error. */
export async function endAll(): Promise<void> {
  const all = [...started];
  started.clear();
  const ends = all.map((starting) =>
    starting.then(
      (one) => one.stop(),
      () => {}, // it failed to start, which its figure has reported
    ),
  );
  await Promise.allSettled(ends);
  await Promise.all(ends);
}

/**
 * Starts ours, as `npm start -- --production --without client` does, with the data in this directory. `env`: additional
 * settings for the parts. `options` replaces `--without client`.
 */
export async function startOurs(directory: string, env: NodeJS.ProcessEnv = {}, options = ['--without', 'client']) {
  const data = join(directory, 'data');
  mkdirSync(data);
  Object.assign(process.env, env);
  const starting = startSystem('--production', ...options, '--data', data);
  const system = await keep(starting).finally(() => {
    for (const name of Object.keys(env)) delete process.env[name];
  });
  const pids = await system.pids();
  return { ...system, system, pids: SERVERS.map((part) => pids.get(part) as number) };
}

/** Starts one server in its own process, and waits for its line "listening". */
export async function startServer(file: string, env: NodeJS.ProcessEnv = {}) {
  const [port] = await freePorts(1);
  const { pid, output } = await keep(startProcess(file, { NODE_ENV: 'production', HOST, ...env, PORT: String(port) }));
  return { url: `http://${HOST}:${port}`, pid, output };
}

/** Starts the classic version, all of it in memory; `moved` overrides addresses for its bus, such as POSTS_URL. */
export async function startNaive(moved: NodeJS.ProcessEnv = {}): Promise<Blog> {
  const ports = await freePorts(SERVERS.length);
  const urls = new Map(SERVERS.map((part, i): [string, string] => [part, `http://${HOST}:${ports[i]}`]));
  const env = Object.fromEntries(Array.from(urls, ([part, url]) => [urlSetting(part), url]));
  const start = (part: string, i: number) =>
    keep(
      startProcess(`bench/naive/${part}.ts`, {
        NODE_ENV: 'production',
        HOST,
        ...env,
        ...moved,
        PORT: String(ports[i]),
      }),
    );
  const running = await Promise.all(SERVERS.map(start));
  return { url: (part) => urls.get(part) as string, pids: running.map(({ pid }) => pid) };
}
