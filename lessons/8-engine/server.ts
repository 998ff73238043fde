// One nats-server for a bus that is not told of others by NATS_URL: its files are in the bus's folder, and it ends with the bus.
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Starts the server on a free port, by way of a second process that outlives a `kill -9` of this one, to end the server. */
export async function startServer(folder: string): Promise<string> {
  const config = join(folder, 'nats.conf');
  // sync_interval: without it a message is acknowledged up to two minutes before it is on disk.
  const store = `jetstream { store_dir: ${JSON.stringify(folder)}, sync_interval: always }`;
  writeFileSync(config, `listen: "127.0.0.1:-1"\n${store}\n`);
  const watcher = spawn(process.execPath, [import.meta.filename, config], { stdio: ['pipe', 'inherit', 'pipe'] });
  watcher.once('exit', () => process.exit(1));
  let output = '';
  return new Promise((resolve) => {
    watcher.stderr.on('data', (data) => {
      output += data;
      const [, address] = /client connections on (\S+)/.exec(output) ?? [];
      if (address) resolve(address);
    });
  });
}

if (process.argv[1] === import.meta.filename) {
  const program = process.env.NATS_SERVER ?? 'nats-server';
  const server = spawn(program, ['-c', process.argv[2] ?? ''], { stdio: ['ignore', 'ignore', 'inherit'] });
  server.once('error', () => {
    console.log('There is no nats-server on the PATH: https://github.com/nats-io/nats-server/releases');
    process.exit(1);
  });
  server.once('exit', () => process.exit(1));
  process.stdin.resume().once('end', () => server.kill('SIGKILL')); // the bus has ended
}
