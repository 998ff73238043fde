// Checks if a port is free, finds the process that uses it, and finds free ones.
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { connect, createServer } from 'node:net';

/** The reason why this port of the loopback interface cannot be used ("in use by node (process 123)"), or undefined. */
export async function whyTaken(port: number): Promise<string | undefined> {
  const error = await tryToListen(port);
  if (error && error.code !== 'EADDRINUSE') return `not available (${error.code})`;
  // On some systems one process can listen on 127.0.0.1 and another on all addresses or ::1, which a browser may then
  // reach.
  if (!error && !(await answers(port, '127.0.0.1')) && !(await answers(port, '::1'))) return undefined;
  const owner = ownerOf(port);
  return owner ? `in use by ${owner}` : 'in use';
}

function tryToListen(port: number): Promise<NodeJS.ErrnoException | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', resolve);
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(undefined)));
  });
}

/** The number of this worker of Jest: `npm test` has at most four, and other programs are number 0. */
const worker = () => Number(process.env.JEST_WORKER_ID ?? 0) % 5;

/**
 * Free ports for tests, outside of the range for outgoing connections, so that a stopped part finds its own still free. Each
 * worker has its own: a port that is free now may be that of a part which another worker's test starts, or has stopped.
 */
export async function freePorts(count: number): Promise<number[]> {
  const found = new Set<number>();
  while (found.size < count) {
    const port = 15_000 + 1_000 * worker() + Math.floor(Math.random() * 1_000);
    if (!(await tryToListen(port))) found.add(port);
  }
  return [...found];
}

/**
 * The first ports of the workers' blocks. A block has 700 ports for parts and their copies, and from 2,222 and 4,222 on 200
 * for nodes of NATS; so no two blocks have a port in common.
 */
const BLOCKS = [20_000, 20_700, 21_400, 25_900, 26_600];

/** A port of this worker's block from which on those at all these distances are free. */
export async function freeBlock(distances: number[]): Promise<number> {
  for (;;) {
    const first = (BLOCKS[worker()] as number) + Math.floor(Math.random() * 190);
    const taken = await Promise.all([...new Set(distances)].map((distance) => tryToListen(first + distance)));
    if (!taken.some(Boolean)) return first;
  }
}

/** Resolves to true if a connection to the port is accepted. */
export function answers(port: number, host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host });
    const settle = (taken: boolean) => {
      socket.destroy();
      resolve(taken);
    };
    socket.once('connect', () => settle(true));
    socket.once('error', () => settle(false));
    socket.setTimeout(500, () => settle(false));
  });
}

function ownerOf(port: number): string | undefined {
  try {
    if (process.platform === 'linux') return linuxOwner(port);
    if (process.platform === 'darwin') {
      const fields = execFileSync('lsof', ['-nP', `-iTCP:${port}`, '-sTCP:LISTEN', '-Fpc'], { encoding: 'utf8' });
      return `${/^c(.*)$/m.exec(fields)?.[1]} (process ${/^p(\d+)$/m.exec(fields)?.[1]})`;
    }
  } catch {
    // Another user's process, or the tool is missing: only the port is named.
  }
  return undefined;
}

function linuxOwner(port: number): string | undefined {
  const LISTEN = '0A';
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  const sockets = ['/proc/net/tcp', '/proc/net/tcp6']
    .flatMap((table) => readFileSync(table, 'utf8').split('\n'))
    .map((row) => row.trim().split(/\s+/))
    .filter((columns) => columns[1]?.endsWith(`:${hex}`) && columns[3] === LISTEN)
    .map((columns) => `socket:[${columns[9]}]`);
  for (const id of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
    try {
      for (const descriptor of readdirSync(`/proc/${id}/fd`)) {
        if (!sockets.includes(readlinkSync(`/proc/${id}/fd/${descriptor}`))) continue;
        return `${readFileSync(`/proc/${id}/comm`, 'utf8').trim()} (process ${id})`;
      }
    } catch {
      // The process ended meanwhile, or is another user's.
    }
  }
  return undefined;
}
