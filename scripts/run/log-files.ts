// The log files of `npm start -- --logs`: the lines of each process in a file of its own, `.data/logs/posts.log`, as JSON.
import { once } from 'node:events';
import { createStream, type RotatingFileStream } from 'rotating-file-stream';
import { partOf } from '../lib/copies.ts';
import type { LogRecord } from '../lib/supervisor.ts';

/** A file of this size is renamed to `posts.log.1`, and that one to `posts.log.2`: at most 30 MB for each process. */
const LIMITS = { size: '10M', rotate: 2 } as const;

/** Writes lines into `folder`, until `end`. A file that cannot be written is told once, and left. */
export function createLogFiles(folder: string, tellFailure: (name: string, reason: string) => void) {
  const streams = new Map<string, RotatingFileStream>();

  function open(name: string): RotatingFileStream {
    const stream = createStream(`${name}.log`, { path: folder, ...LIMITS });
    stream.once('error', ({ message }) => tellFailure(name, message));
    stream.on('error', () => {});
    streams.set(name, stream);
    return stream;
  }

  return {
    /** Text that is no log record, such as the stack of a crash, becomes one. */
    write(name: string, line: string | LogRecord): void {
      const record =
        typeof line === 'string' ? { level: 30, time: Date.now(), service: partOf(name), msg: line } : line;
      (streams.get(name) ?? open(name)).write(`${JSON.stringify(record)}\n`);
    },
    /** Resolves once all lines are in their files. */
    async end(): Promise<void> {
      await Promise.all([...streams.values()].map((stream) => once(stream.end(), 'close')));
    },
  };
}
