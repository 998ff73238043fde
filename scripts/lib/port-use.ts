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

/**
 * A random port for tests. Each worker of Jest has its own ports: one that is free now may be that of a part which another
 * worker's test starts, or has stopped.
 */
function somePort(each: number): number {
  const worker = Number(process.env.JEST_WORKER_ID ?? 0) % 10;
  return 15_000 + worker * each + Math.floor(Math.random() * each);
}

/** Free ports outside of the range for outgoing connections, so that a stopped part finds its own still free. */
export async function freePorts(count: number): Promise<number[]> {
  const found = new Set<number>();
  while (found.size < count) {
    const port = somePort(1_500);
    if (!(await tryToListen(port))) found.add(port);
  }
  return [...found];
}

/** A port from which on those at all these distances are free, also outside of the range for outgoing connections. */
export async function freeBlock(distances: number[]): Promise<number> {
  for (;;) {
    const first = somePort(1_000);
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
