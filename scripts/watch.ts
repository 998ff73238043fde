// Stands between the supervisor and one service in development: nodemon, which starts the service again on an edit.
//   node watch.ts <main file> <watched folder> …      (in the part's own folder)
// Nodemon tells nobody the service's process id or how it ended; so this looks at the processes that nodemon starts and
// tells the supervisor. After a crash nodemon waits for an edit or for the supervisor's message 'restart'.
import type { ChildProcess } from 'node:child_process';
import { subscribe } from 'node:diagnostics_channel';

export type WatchReport = { started: number } | { ended: number | null; signal: NodeJS.Signals | null };

const [script = '', ...watch] = process.argv.slice(2);
const send = process.send?.bind(process);
process.send = undefined; // else nodemon sends all its own events
const report = (message: WatchReport) => process.connected && send?.(message);

let service: ChildProcess | undefined;
let ending = false;

subscribe('child_process', (message) => {
  const child = (message as { process: ChildProcess }).process;
  child.once('spawn', () => {
    if (child.spawnfile !== process.execPath) return; // nodemon's own `ps` and `kill`
    service = child;
    report({ started: child.pid as number });
  });
  // Comes before nodemon's own listener, which may start the next one.
  child.once('exit', (code, signal) => {
    if (child !== service) return;
    service = undefined;
    if (ending) process.exit();
    report({ ended: code, signal });
  });
});

const { default: nodemon } = await import('nodemon');
// Without `node_modules/.bin/node` in the current folder, nodemon forks 'node' as process.execPath, without a shell.
nodemon({ script, exec: 'node', watch, ext: 'ts,js,json,sql', signal: 'SIGTERM', delay: 50, stdin: false });

// Nodemon would send several signals in a row; the service is to get one.
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
  process.removeAllListeners(signal);
  process.on(signal, () => {
    ending = true;
    if (!service) process.exit();
    if (service.connected) service.disconnect(); // see end-with-parent.ts
  });
}
