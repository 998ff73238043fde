// Loaded (--import) into every process that the runner starts. The channel to the parent closes when the parent asks for
// an end, and also when it is gone, even by `kill -9`: on every system, also where there are no signals. So nothing is
// left running, and a service stops as cleanly as on SIGTERM.
import { isMainThread } from 'node:worker_threads';

const PATIENCE_MS = 4_500;

function end(): void {
  setTimeout(() => process.kill(process.pid, 'SIGKILL'), PATIENCE_MS).unref();
  if (!process.emit('SIGTERM', 'SIGTERM')) process.exit(143);
}

if (!isMainThread) {
  // a worker ends with its process
} else if (process.channel) {
  process.once('disconnect', end);
  process.channel.unref(); // it is no reason to stay alive
} else {
  process.exit(143); // the parent went before this was loaded
}
