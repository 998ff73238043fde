// The lines that a process prints.
import { pino } from 'pino';

const ERROR = 50;

/** `errors`: the number of lines at level `error` or `fatal` so far. */
export type Log = pino.Logger & { errors(): number };

/** JSON lines on stdout, each with the name of its service; readable text when stdout is a terminal. */
export function createLog(service: string, level = 'info'): Log {
  let errors = 0;
  const options: pino.LoggerOptions = {
    level,
    base: { service },
    hooks: {
      logMethod(args, method, level) {
        if (level >= ERROR) errors += 1;
        method.apply(this, args);
      },
    },
  };
  const pretty = { target: 'pino-pretty', options: { messageFormat: '{service}: {msg}', ignore: 'service' } };
  return Object.assign(pino(process.stdout.isTTY ? { ...options, transport: pretty } : options), {
    errors: () => errors,
  });
}

/** Requests that are asked all the time have no line. */
const QUIET = ['/healthz', '/readyz', '/metrics'];

/** Logs an answered request at level `debug`, without the query string, which may hold something private. */
export function logRequest(log: Log, method: string, url: string, status: number, ms: number, traceId?: string): void {
  const [path = ''] = url.split('?', 1);
  if (!QUIET.includes(path)) log.debug({ method, path, status, ms: Math.round(ms), traceId }, 'request');
}
