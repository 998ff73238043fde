// The process of each part: its files, and the settings that the runner gives it.
import { join } from 'node:path';
import { PARTS, PORTS, SERVERS, SERVICES, urlSetting } from '@blog/common/run/parts.ts';
import type { PartSpec } from './supervisor.ts';

export const root = join(import.meta.dirname, '..', '..');
export const defaultDataDir = join(root, '.data');

/** Loopback only: not reachable from another machine. */
export const HOST = '127.0.0.1';

export type Options = { dataDir: string; production: boolean; ports: Map<string, number> };

/** Settings that `npm start` sets itself and refuses in the environment, with the alternative to each. */
export const decidedSettings = new Map([
  ['HOST', 'the parts listen on this machine only'],
  ['PORT', 'use --port PART=NUMBER'],
  ['DATA_DIR', 'use --data DIR'],
  ...SERVERS.map((part): [string, string] => [urlSetting(part), `use --port ${part}=NUMBER`]),
  ...['RATE_WRITES', 'RATE_READS', 'STREAMS', 'TRUSTED_PROXIES'].map((name): [string, string] => [
    name,
    'only nginx limits requests',
  ]),
]);

/** The ports of all parts; `moved` overrides some, as `posts=14000`. */
export function portsOf(moved: string[]): Map<string, number> {
  const ports = new Map<string, number>(Object.entries(PORTS));
  for (const setting of moved) {
    const [name = '', port = ''] = setting.split('=');
    if (!ports.has(name)) throw new Error(`--port ${setting}: there is no part "${name}" (${PARTS.join(', ')})`);
    if (!/^\d+$/.test(port) || Number(port) < 1 || Number(port) > 65_535) {
      throw new Error(`--port ${setting}: expected ${name}=NUMBER, a port from 1 to 65535`);
    }
    ports.set(name, Number(port));
  }
  return ports;
}

/** The process of a part, wherever it runs. In development its sources are watched; Vite watches the page's. */
export function processOf(name: string, production: boolean) {
  const source = name === 'client' ? 'server' : 'src';
  const watch = production ? undefined : [source, join('..', 'common', 'src')];
  const args = production && name === 'client' ? ['--production'] : [];
  return { name, folder: join(root, name), main: `${source}/main.ts`, args, watch };
}

/**
 * In production a service's heap is kept small, as in its image: 8 MiB of semi-space instead of 16, because most new
 * objects are garbage at once; 192 MiB in total, ten times the usual use; one V8 worker thread instead of four.
 */
const SMALL_HEAP = '--max-semi-space-size=8 --max-old-space-size=192 --v8-pool-size=1';

export function specOf(name: string, { dataDir, production, ports }: Options): PartSpec {
  const port = ports.get(name) as number;
  // A swapped-in part may listen on either loopback address.
  const url = (part: string) => `http://localhost:${ports.get(part)}`;
  const env: NodeJS.ProcessEnv = {
    HOST,
    PORT: String(port),
    DATA_DIR: dataDir,
    EVENT_BUS_URL: url('event-bus'),
    NODE_ENV: production ? 'production' : 'development',
    // Caches compiled code between runs, because eleven processes start at once.
    NODE_COMPILE_CACHE: join(root, 'node_modules', '.cache', 'compile'),
  };
  if (production && name !== 'client') env.NODE_OPTIONS = [SMALL_HEAP, process.env.NODE_OPTIONS].join(' ');
  if (name === 'event-bus') {
    env.SUBSCRIPTIONS =
      process.env.SUBSCRIPTIONS || SERVICES.map((subscriber) => `${subscriber}=${url(subscriber)}/events`).join(',');
  }
  if (name === 'client') {
    for (const part of SERVERS) env[urlSetting(part)] = url(part);
    env.CONTROL = process.env.CONTROL || (production ? 'off' : 'on');
  }
  return { ...processOf(name, production), port, env };
}
