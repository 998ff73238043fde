// Runs nodes of NATS JetStream on this machine: the quorum behind copies of the bus, for `npm start -- --copies` and tests.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { guardChild } from './guard.ts';
import { freePorts } from './port-use.ts';
import { until } from './until.ts';

/** The oldest usable version: the bus reads the stream in batches, directly from its nodes. */
const OLDEST = [2, 11];

const HOW_TO_GET_IT =
  'Linux: https://github.com/nats-io/nats-server/releases, macOS: brew install nats-server, Windows: choco install nats-server, with Go: go install github.com/nats-io/nats-server/v2@latest';

/**
 * The path of `nats-server`: the one in NATS_SERVER, else on the PATH. `oldest`: the version that it must have.
 * @returns or the reason why there is none, with the way to get it
 */
export function findNats(oldest = OLDEST): { program: string } | { missing: string } {
  const name = process.platform === 'win32' ? 'nats-server.exe' : 'nats-server';
  const onPath = (process.env.PATH ?? '').split(delimiter).map((folder) => join(folder, name));
  const program = process.env.NATS_SERVER || onPath.find(existsSync);
  if (!program) return { missing: `There is no nats-server on the PATH (${HOW_TO_GET_IT}).` };
  const { stdout, error } = spawnSync(program, ['--version'], { encoding: 'utf8' });
  const [, major = 0, minor = 0] = /^nats-server: v(\d+)\.(\d+)\./.exec(stdout ?? '')?.map(Number) ?? [];
  if (error || !major) return { missing: `${program} is not a nats-server (${HOW_TO_GET_IT}).` };
  const isOld = major < (oldest[0] ?? 0) || (major === oldest[0] && minor < (oldest[1] ?? 0));
  return isOld ? { missing: `${program} is older than version ${oldest.join('.')} (${HOW_TO_GET_IT}).` } : { program };
}

/** @throws if there is no `nats-server` */
export function requireNats(): string {
  const found = findNats();
  if ('missing' in found) throw new Error(found.missing);
  return found.program;
}

/**
 * Jest's `test` or `describe`, skipped without `nats-server`; with REQUIRE_NATS set, these tests fail instead:
 * `const natsTest = withNats(test)`.
 */
export const withNats = <T extends { skip: unknown }>(test: T): T =>
  'program' in findNats() || process.env.REQUIRE_NATS ? test : (test.skip as T);

/** Ports of a node: for clients, for the other nodes, and for its monitoring pages (HTTP). */
export type NodePorts = { client: number; route: number; monitor: number };

/** `host`: its address, if not loopback. */
export type NodeSpec = { name: string; folder: string; config: string; ports: NodePorts; host?: string };

type NodeOptions = {
  /** The token that clients name; none: any client of this machine may connect. */
  token?: string;
  /** The time after which a node flushes a write to disk; `always`: before it is acknowledged. */
  syncInterval?: string;
};

type ClusterOptions = NodeOptions & {
  /** The number of nodes. */
  count?: number;
  /** The folder that has a folder for each node: `nats-0`, `nats-1`, … */
  dataDir?: string;
  ports?: NodePorts[];
};

const HOST = '127.0.0.1';
/** Else a node that starts while the disk is full would keep what was free then as its limit. The disk itself is the limit. */
const LIMIT = '1TB';
/** The monitoring page of a node is at its port for clients plus 4000 (4222 and 8222, by default): there the bus looks for it. */
const MONITORING = 4_000;

/** In a node's folder: its configuration, and the folder of what it stores (the second name is NATS's own). */
export const NODE_CONFIG = 'nats.conf';
export const NODE_STORE = 'jetstream';

/** Names the nodes of one cluster, and their files. */
export const describeNodes = (dataDir: string, ports: NodePorts[]): NodeSpec[] =>
  ports.map((own, index) => {
    const name = `nats-${index}`;
    const folder = join(dataDir, name);
    return { name, folder, config: join(folder, NODE_CONFIG), ports: own };
  });

/**
 * Writes the configurations of all nodes of one cluster, on loopback unless told. A single node is no cluster.
 * (docs.nats.io/running-a-nats-service/configuration; every string is quoted, as in JSON)
 */
export function writeNodes(nodes: NodeSpec[], { token, syncInterval = 'always' }: NodeOptions = {}): void {
  const routes = nodes.map(({ host = HOST, ports }) => `"nats-route://${host}:${ports.route}"`).join(', ');
  for (const { name, folder, config, ports, host = HOST } of nodes) {
    const lines = [
      '# Written at each start.',
      `server_name: "${name}"`,
      `listen: "${host}:${ports.client}"`,
      `http: "${host}:${ports.monitor}"`,
      `jetstream { store_dir: ${JSON.stringify(folder)}, sync_interval: "${syncInterval}", max_file_store: ${LIMIT} }`,
      'logtime: false',
    ];
    if (nodes.length > 1) lines.push(`cluster { name: "blog", listen: "${host}:${ports.route}", routes: [${routes}] }`);
    if (token) lines.push(`authorization { token: ${JSON.stringify(token)} }`);
    mkdirSync(folder, { recursive: true });
    writeFileSync(config, `${lines.join('\n')}\n`);
  }
}

/** The nodes' addresses for clients: the setting NATS_URL of the bus. */
export const natsUrlOf = (nodes: { ports: NodePorts; host?: string }[]): string =>
  nodes.map(({ ports, host = HOST }) => `nats://${host}:${ports.client}`).join(',');

/**
 * The name of the node that leads the cluster, by this node's monitoring page (`/jsz`); of a single node, its own.
 * @returns undefined while there is none, or the node does not answer
 */
export async function leaderBy({ name, ports }: { name: string; ports: NodePorts }): Promise<string | undefined> {
  try {
    const answer = await fetch(`http://${HOST}:${ports.monitor}/jsz`, { signal: AbortSignal.timeout(1_000) });
    const { disabled, meta_cluster: cluster } = (await answer.json()) as Jsz;
    return cluster ? cluster.leader : disabled ? undefined : name;
  } catch {
    return undefined;
  }
}
type Jsz = { disabled?: boolean; meta_cluster?: { leader?: string } };

export type Nats = Awaited<ReturnType<typeof startNats>>;
export type NatsNode = ReturnType<typeof createNode>;

/** One node, which is started, ended and wiped by its process id; it does not come back by itself. */
function createNode(program: string, spec: NodeSpec) {
  let child: ChildProcess | undefined;
  let output = '';

  async function end(signal: NodeJS.Signals): Promise<void> {
    const running = child;
    if (!running) return;
    const ended = once(running, 'exit');
    running.kill(signal);
    running.kill('SIGCONT'); // a stopped process would not notice SIGTERM
    await ended;
  }

  return {
    ...spec,
    /** Its address for clients. */
    url: natsUrlOf([spec]),
    /** All that it has printed. */
    output: () => output,
    pid: () => child?.pid,

    /** Starts the process; resolves once it answers. What it still does not know, it learns from the others. */
    async start(): Promise<void> {
      if (child) return;
      const started = spawn(program, ['-c', spec.config], { stdio: ['ignore', 'ignore', 'pipe'], windowsHide: true });
      child = started;
      started.once('exit', () => {
        child = undefined;
      });
      started.stderr.on('data', (data) => {
        output += data;
      });
      await once(started, 'spawn');
      guardChild(started);
      await until(`${spec.name} answers`, async () => {
        if (!child) throw new Error(`${spec.name} ended\n${output}`);
        return (await fetch(`http://${HOST}:${spec.ports.monitor}/varz`)).ok;
      });
    },
    /** A graceful shutdown (SIGTERM). */
    stop: () => end('SIGTERM'),
    /** Ends it at once (SIGKILL). */
    kill: () => end('SIGKILL'),
    /** Stops it for a while (SIGSTOP): it keeps its connections and does nothing, until `resume`. */
    pause: () => child?.kill('SIGSTOP'),
    resume: () => child?.kill('SIGCONT'),

    /** Deletes all that an ended node has stored: it comes back as a new machine would. */
    wipe(): void {
      if (child) throw new Error(`${spec.name} runs: end it before its files are deleted`);
      rmSync(join(spec.folder, NODE_STORE), { recursive: true, force: true });
    },
  };
}

/**
 * Starts the nodes of one cluster, three unless told, and waits until it is usable: every node knows the same leader. The
 * data is in a new folder, which is deleted at the end, or in `dataDir`, which is kept.
 * @throws if there is no `nats-server`
 */
export async function startNats({ count = 3, ...options }: ClusterOptions = {}) {
  const program = requireNats();
  const dataDir = options.dataDir ?? mkdtempSync(join(tmpdir(), 'blog nats '));
  const numbers = await freePorts(count * 2);
  const free = Array.from({ length: count }, (_, index) => {
    const [client, route] = [numbers[index], numbers[count + index]] as [number, number];
    return { client, route, monitor: client + MONITORING };
  });
  const specs = describeNodes(dataDir, options.ports ?? free);
  writeNodes(specs, options);
  const nodes = specs.map((spec) => createNode(program, spec));

  const leader = async () => {
    const running = nodes.filter((node) => node.pid() !== undefined);
    const [first, ...others] = await Promise.all(running.map(leaderBy));
    // For some seconds after a leader was killed, the others still name it.
    return others.every((name) => name === first) ? running.find(({ name }) => name === first) : undefined;
  };
  /** Waits until all running nodes know the same leader of the cluster, and returns it. */
  const usable = () => until('the nodes have a leader', leader);

  async function stop(): Promise<void> {
    await Promise.all(nodes.map((node) => node.kill()));
    if (!options.dataDir) rmSync(dataDir, { recursive: true, force: true, maxRetries: 5 });
  }

  try {
    await Promise.all(nodes.map((node) => node.start()));
    await usable();
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    nodes,
    dataDir,
    /** The nodes' addresses for clients: NATS_URL. */
    url: natsUrlOf(nodes),
    usable,
    /** Ends all nodes. */
    stop,
  };
}
