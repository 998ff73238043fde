import { pino } from 'pino';

export type Log = pino.Logger;

/** JSON lines on stdout, one name per part; readable text when stdout is a terminal. */
export function createLog(name: string, level = 'info'): Log {
  const options = { name, level, base: { name } };
  if (!process.stdout.isTTY) return pino(options);
  return pino({ ...options, transport: { target: 'pino-pretty', options: { ignore: 'pid,hostname' } } });
}
