import type { IncomingMessage, ServerResponse } from 'node:http';
import { pino } from 'pino';
import { traceIdOf, traceparentOf } from './traces.ts';

export type Log = pino.Logger;

/** JSON lines on stdout, one name per part; readable text when stdout is a terminal. */
export function createLog(name: string, level = 'info'): Log {
  const options = { name, level, base: { name } };
  if (!process.stdout.isTTY) return pino(options);
  return pino({ ...options, transport: { target: 'pino-pretty', options: { ignore: 'pid,hostname' } } });
}

/** What is asked all the time. */
const UNTOLD = ['/healthz', '/readyz', '/metrics'];

/** What writes a line for each request when its answer has left, or broke off; undefined unless level `debug` is on. */
export function requestLines(log: Log) {
  if (!log.isLevelEnabled('debug')) return undefined;
  return (req: IncomingMessage, res: ServerResponse) => {
    const began = performance.now();
    const { method } = req;
    // Without the query string, which may hold what is nobody's business.
    const path = req.url?.split('?', 1)[0] ?? '';
    const traceId = traceIdOf(traceparentOf(req));
    if (UNTOLD.includes(path)) return;
    res.on('close', () => {
      const ms = Math.round(performance.now() - began);
      log.debug({ method, path, status: res.statusCode, ms, traceId }, 'request');
    });
  };
}
