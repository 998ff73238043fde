// What a figure starts. All of it is ended when its run is over, however that ends: figures need not.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { SERVERS, urlSetting } from '@blog/common/run/parts.ts';
import { freePorts, startProcess, startSystem } from '../e2e/system.ts';
import { HOST } from '../scripts/parts.ts';

/** The five servers of one side. */
export type Blog = { url: (part: string) => string; pids: number[] };

type Started = { stop(): Promise<unknown> };
const started = new Set<Promise<Started>>();

/** Has whatever is starting here ended with the run. */
export function keep<T extends Started>(starting: Promise<T>): Promise<T> {
  started.add(starting);
  return starting;
}

/** Ends all that was started since the last time, also what is only starting; throws what the first of them throws. */
export async function endAll(): Promise<void> {
  const all = [...started];
  started.clear();
  const ends = all.map((starting) =>
    starting.then(
      (one) => one.stop(),
      () => {}, // it never came to run, and its figure was told
    ),
  );
  await Promise.allSettled(ends);
  await Promise.all(ends);
}

/**
 * Ours, as `npm start -- --production --without client` runs it, with its data in this directory. `env` are settings that
 * the parts have besides.
 */
export async function startOurs(directory: string, env: NodeJS.ProcessEnv = {}) {
  const data = join(directory, 'data');
  mkdirSync(data);
  Object.assign(process.env, env);
  const starting = startSystem('--production', '--without', 'client', '--data', data);
  const system = await keep(starting).finally(() => {
    for (const name of Object.keys(env)) delete process.env[name];
  });
  const pids = await system.pids();
  return { ...system, system, pids: SERVERS.map((part) => pids.get(part) as number) };
}

/** One server in a process of its own; it says "listening" when it does. */
export async function startServer(file: string, env: NodeJS.ProcessEnv = {}) {
  const [port] = await freePorts(1);
  const { pid, output } = await keep(startProcess(file, { NODE_ENV: 'production', HOST, ...env, PORT: String(port) }));
  return { url: `http://${HOST}:${port}`, pid, output };
}

/** The classic version, all of it in memory; `moved` are addresses that its bus is to have instead, as POSTS_URL. */
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
