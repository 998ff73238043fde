// The runner's ear: a local socket, one per data directory. It takes commands from other terminals (`npm run part`).
import { createHash } from 'node:crypto';
import { existsSync, realpathSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';

export type Answer = { code: number; text: string };

function addressOf(dataDir: string): string {
  const path = existsSync(dataDir) ? realpathSync.native(dataDir) : resolve(dataDir);
  const id = createHash('sha256').update(path).digest('hex').slice(0, 16);
  // Not in the data directory itself: the path of a socket may have about a hundred characters. Not in TMPDIR either,
  // which may differ between two terminals.
  return process.platform === 'win32' ? `\\\\.\\pipe\\blog-${id}` : `/tmp/blog-${id}.sock`;
}

/** The runner's answer, or undefined when none runs on this data directory. */
export function ask(dataDir: string, command: string[]): Promise<Answer | undefined> {
  return new Promise((resolve) => {
    const socket = connect(addressOf(dataDir));
    const gone = { code: 1, text: 'The runner ended before it answered.' };
    socket.once('error', () => resolve(undefined));
    socket.once('connect', () => {
      socket.write(`${JSON.stringify(command)}\n`);
      const lines = createInterface({ input: socket });
      lines.once('line', (line) => {
        resolve(JSON.parse(line));
        socket.end();
      });
      lines.once('close', () => resolve(gone));
      lines.on('error', () => resolve(gone)); // of the socket, which it passes on
    });
  });
}

/** Listens until the process ends. False: another runner already does. */
export async function listen(dataDir: string, obey: (command: string[]) => Promise<Answer>): Promise<boolean> {
  const address = addressOf(dataDir);
  const server = createServer((socket) => {
    socket.on('error', () => {}); // whoever asked went away
    createInterface({ input: socket }).on('line', async (line) => {
      const answer = await obey(JSON.parse(line)).catch((error) => ({ code: 1, text: String(error) }));
      socket.end(`${JSON.stringify(answer)}\n`);
    });
  });
  server.unref();
  process.once('exit', () => server.close()); // takes the socket with it
  const tryToListen = () =>
    new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false));
      server.listen(address, () => resolve(true));
    });
  if (await tryToListen()) return true;
  if (await ask(dataDir, ['status'])) return false;
  // A runner that was killed left its socket behind.
  rmSync(address, { force: true });
  return tryToListen();
}
