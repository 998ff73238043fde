// The lines that a process prints.
import { pino } from 'pino';

export type Log = pino.Logger;

/** JSON lines on stdout, one name per part; readable text when stdout is a terminal. */
export function createLog(name: string, level = 'info'): Log {
  const options = { name, level, base: { name } };
  if (!process.stdout.isTTY) return pino(options);
  return pino({ ...options, transport: { target: 'pino-pretty', options: { ignore: 'pid,hostname' } } });
}

/** Requests that are asked all the time have no line. */
const QUIET = ['/healthz', '/readyz', '/metrics'];

/** Logs an answered request at level `debug`, without the query string, which may hold something private. */
export function logRequest(log: Log, method: string, url: string, status: number, ms: number, traceId?: string): void {
  const [path = ''] = url.split('?', 1);
  if (!QUIET.includes(path)) log.debug({ method, path, status, ms: Math.round(ms), traceId }, 'request');
}
