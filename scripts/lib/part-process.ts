// The processes of each part: their files, and the settings that the runner gives them.
import { randomBytes } from 'node:crypto';
import { join, relative } from 'node:path';
import { ALL_PORTS, SERVERS, SERVICES, type SignInPart, urlSetting } from '@blog/common/run/parts.ts';
import { copyNames, folderOf, NATS_PORT, partOf, portAbove } from './copies.ts';
import type { NodeSpec } from './nats.ts';
import type { OtherBus } from './other-bus.ts';
import { createTurns, type PartSpec } from './supervisor.ts';

export const root = join(import.meta.dirname, '..', '..');
export const defaultDataDir = join(root, '.data');

/** Loopback only: not reachable from another machine. */
export const HOST = '127.0.0.1';

export type Options = {
  dataDir: string;
  production: boolean;
  /** The ports that callers use. A part that runs in copies leaves its own to the balancer. */
  ports: Map<string, number>;
  /** The number of copies of each part that runs in more than one. */
  copies?: Map<string, number>;
  /** The addresses of NATS, behind copies of the bus. */
  natsUrl?: string;
  /** The settings of auth and of its issuer: there is sign-in. */
  signIn?: NodeJS.ProcessEnv;
  /** The bus that runs in place of ours, and what the page tells about it. */
  bus?: OtherBus;
  lesson?: string;
};

/** The names of a part's processes. */
export const processNames = (part: string, { copies }: Options): string[] => copyNames(part, copies?.get(part) ?? 1);

/** The port on which a process listens. */
export const portOf = (name: string, { ports }: Options): number => portAbove(ports.get(partOf(name)) as number, name);

/** Settings that `npm start` sets itself and refuses in the environment, with the alternative to each. */
export const decidedSettings = new Map([
  ['HOST', 'the parts listen on this machine only'],
  ['PORT', 'use --port PART=NUMBER'],
  ['DATA_DIR', 'use --data DIR'],
  ['COPY_NAME', 'use --copies NUMBER'],
  ['AUTH_URL', 'use --login'],
  ['BUS_LESSON', 'use --bus FOLDER'],
  ...SERVERS.map((part): [string, string] => [urlSetting(part), `use --port ${part}=NUMBER`]),
  ...['RATE_WRITES', 'RATE_READS', 'STREAMS', 'TRUSTED_PROXIES'].map((name): [string, string] => [
    name,
    'only nginx limits requests',
  ]),
]);

/** The ports of all parts, those of sign-in too, and of NATS; `moved` overrides some, as `posts=14000`. */
export function portsOf(moved: string[]): Map<string, number> {
  const ports = new Map<string, number>(Object.entries({ ...ALL_PORTS, nats: NATS_PORT }));
  for (const setting of moved) {
    const [name = '', port = ''] = setting.split('=');
    if (!ports.has(name))
      throw new Error(`--port ${setting}: there is no part "${name}" (${[...ports.keys()].join(', ')})`);
    if (!/^\d+$/.test(port) || Number(port) < 1 || Number(port) > 65_535) {
      throw new Error(`--port ${setting}: expected ${name}=NUMBER, a port from 1 to 65535`);
    }
    ports.set(name, Number(port));
  }
  return ports;
}

/** The parts of `--login`, in the order of the start: a real issuer, named in the environment, runs elsewhere. */
export const signInParts: SignInPart[] = process.env.OIDC_ISSUER ? ['auth'] : ['issuer', 'auth'];

/** The settings of auth and of the issuer to play with. For a real issuer they are those of the environment. */
export function signInSettings(ports: Map<string, number>): NodeJS.ProcessEnv {
  const PUBLIC_URL = process.env.PUBLIC_URL || `http://localhost:${ports.get('client')}`;
  if (process.env.OIDC_ISSUER) return { PUBLIC_URL };
  const OIDC_CLIENT_SECRET = randomBytes(24).toString('base64url');
  return {
    PUBLIC_URL,
    OIDC_ISSUER: `http://localhost:${ports.get('issuer')}`,
    OIDC_CLIENT_ID: 'blog',
    OIDC_CLIENT_SECRET,
  };
}

/** The process of a part, wherever it runs. In development its sources are watched; Vite watches the page's. */
export function processOf(name: string, production: boolean) {
  const source = name === 'client' ? 'server' : 'src';
  const folder = join(root, name === 'issuer' ? join('auth', 'issuer') : name);
  const watch = production ? undefined : [source, relative(folder, join(root, 'common', 'src'))];
  const args = production && name === 'client' ? ['--production'] : [];
  return { name, folder, main: `${source}/main.ts`, args, watch };
}

/** The folder that another bus has to itself. It is its working directory too, so that what it writes by mistake is there. */
export const busFolder = (dataDir: string): string => join(dataDir, 'bus');

/** The process of another bus, whose edits restart it too. */
function processOfBus({ folder, main }: OtherBus, { dataDir, production }: Options) {
  const cwd = busFolder(dataDir);
  const watch = production ? undefined : [relative(cwd, folder)];
  // It may keep its state as JSON, beside its code.
  return { name: 'event-bus', folder: cwd, main, args: [], watch, sources: /\.[cm]?[jt]s$/ };
}

/**
 * In production a service's heap is kept small, as in its image: 8 MiB of semi-space instead of 16, because most new
 * objects are garbage at once; 192 MiB in total, ten times the usual use; one V8 worker thread instead of four.
 */
const SMALL_HEAP = '--max-semi-space-size=8 --max-old-space-size=192 --v8-pool-size=1';

/** For each part: its copies restart one after another. */
const turns = new Map<string, ReturnType<typeof createTurns>>();

/** The process of a part, or of one of its copies: `posts-1`. */
export function specOf(name: string, options: Options): PartSpec {
  const { dataDir, production, ports, natsUrl, signIn } = options;
  const part = partOf(name);
  const port = portOf(name, options);
  // A swapped-in part may listen on either loopback address.
  const at = (port: number | undefined) => `http://localhost:${port}`;
  const url = (part: string) => at(ports.get(part));
  const env: NodeJS.ProcessEnv = {
    HOST,
    PORT: String(port),
    DATA_DIR: folderOf(dataDir, name),
    EVENT_BUS_URL: url('event-bus'),
    NODE_ENV: production ? 'production' : 'development',
    // Caches compiled code between runs, because eleven processes start at once.
    NODE_COMPILE_CACHE: join(root, 'node_modules', '.cache', 'compile'),
  };
  if (production && name !== 'client') env.NODE_OPTIONS = [SMALL_HEAP, process.env.NODE_OPTIONS].join(' ');
  const { bus } = options;
  if (part === 'event-bus') {
    const subscribers = SERVICES.flatMap((service) => processNames(service, options));
    const urls = subscribers.map((subscriber) => `${at(portOf(subscriber, options))}/events`);
    env.SUBSCRIPTIONS =
      process.env.SUBSCRIPTIONS || subscribers.map((subscriber, i) => `${subscriber}=${urls[i]}`).join(',');
    if (bus) Object.assign(env, { DATA_DIR: busFolder(dataDir), SUBSCRIBERS: urls.join(), NATS_URL: natsUrl });
  }
  if (name !== part) {
    env.COPY_NAME = name;
    if (part === 'event-bus') Object.assign(env, { NATS_URL: natsUrl, COPY_URL: at(port) });
    else env.ANSWER_AFTER = process.env.ANSWER_AFTER || 'log';
  }
  if (name === 'client') {
    for (const part of SERVERS) env[urlSetting(part)] = url(part);
    env.CONTROL = process.env.CONTROL || (production ? 'off' : 'on');
    if (options.lesson) env.BUS_LESSON = options.lesson;
  }
  if (signIn && ['posts', 'comments', 'client'].includes(part)) env.AUTH_URL = url('auth');
  if (part === 'auth' || part === 'issuer') Object.assign(env, signIn);
  if (name !== part && !turns.has(part)) turns.set(part, createTurns());
  const running = bus && part === 'event-bus' ? processOfBus(bus, options) : processOf(part, production);
  return { ...running, name, port, env, inTurn: turns.get(part) };
}

/** The load balancer before the copies; undefined if no part runs in copies. */
export function balancerOf(options: Options): PartSpec | undefined {
  const parts = [...(options.copies?.keys() ?? [])];
  const portsOfCopies = (part: string) => processNames(part, options).map((name) => portOf(name, options));
  if (parts.length === 0) return undefined;
  return {
    name: 'balancer',
    folder: root,
    main: join('scripts', 'run', 'balancer.ts'),
    args: parts.map((part) => `${options.ports.get(part)}=${portsOfCopies(part)}`),
    port: options.ports.get(parts.at(-1) as string) as number,
    env: { NODE_OPTIONS: [SMALL_HEAP, process.env.NODE_OPTIONS].join(' ') },
  };
}

/**
 * A node of NATS. Of its output only errors are told, and who leads; not that another node does not run (yet). After a full
 * disk it takes part in nothing until it is started again, also when there is space.
 */
export function nodeSpec({ name, folder, config, ports }: NodeSpec, program: string): PartSpec {
  const tells = /\[FTL\]|\[ERR\] (?!Error trying to connect to route)|cluster new (metadata|stream) leader/;
  const failsWith = /will be DISABLED|critical write error/i;
  return {
    name,
    folder,
    main: program,
    isProgram: true,
    args: ['-c', config],
    port: ports.client,
    env: {},
    tells,
    failsWith,
  };
}
