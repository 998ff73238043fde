// Ends programs that are not Node's together with this process, even when `kill -9` ends it. A program like nats-server
// notices nothing of its parent's end. So one small process watches this one over an IPC channel, and ends the others.
import { type ChildProcess, fork } from 'node:child_process';

let guard: ChildProcess | undefined;

/** Sends SIGTERM to the child when this process has ended. */
export function guardChild(child: ChildProcess): void {
  if (!guard) {
    // In a group of its own: Ctrl-C does not reach it.
    guard = fork(import.meta.filename, [], { stdio: 'ignore', execArgv: [], detached: process.platform !== 'win32' });
    // Neither keeps this process alive.
    guard.unref();
    guard.channel?.unref();
  }
  const running = guard;
  running.send({ began: child.pid });
  child.once('exit', () => running.connected && running.send({ ended: child.pid }));
}

if (process.argv[1] === import.meta.filename) {
  const pids = new Set<number>();
  process.on('message', ({ began, ended }: { began?: number; ended?: number }) => {
    if (began) pids.add(began);
    if (ended) pids.delete(ended);
  });
  process.once('disconnect', () => {
    for (const pid of pids) {
      try {
        process.kill(pid, 'SIGTERM');
      } catch {
        // it has already ended
      }
    }
  });
}
