// Loaded (--import) into every process that the runner starts. The IPC channel closes when the parent asks for the end,
// and also when the parent dies, even by `kill -9`, on every system, also those without signals. So no process is left
// running, and a service shuts down as gracefully as on SIGTERM.
import { isMainThread } from 'node:worker_threads';

const PATIENCE_MS = 4_500;

function end(): void {
  setTimeout(() => process.kill(process.pid, 'SIGKILL'), PATIENCE_MS).unref();
  if (!process.emit('SIGTERM', 'SIGTERM')) process.exit(143);
}

if (!isMainThread) {
  // A worker thread ends with its process.
} else if (process.channel) {
  process.once('disconnect', end);
  process.channel.unref(); // does not keep the process alive
} else {
  process.exit(143); // the parent died before this was loaded
}
