// The runner's control socket, one per data directory: takes commands from other terminals (`npm run part`).
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, realpathSync, rmSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { resolve } from 'node:path';

/** The maximum length of a line, in characters. */
const LONGEST = 64 * 1_024;

export type Answer = { code: number; text: string };

export function addressOf(dataDir: string): string {
  const path = existsSync(dataDir) ? realpathSync.native(dataDir) : resolve(dataDir);
  const id = createHash('sha256').update(path).digest('hex').slice(0, 16);
  // Not in the data directory itself, because a socket's path is limited to about a hundred characters. Not in TMPDIR
  // either, which may differ between two terminals.
  return process.platform === 'win32' ? `\\\\.\\pipe\\blog-${id}` : `/tmp/blog-${id}.sock`;
}

/** Asks the runner; undefined if none runs on this data directory. */
export function ask(dataDir: string, command: string[]): Promise<Answer | undefined> {
  return new Promise((resolve) => {
    const socket = connect(addressOf(dataDir));
    const gone = { code: 1, text: 'The runner ended before it answered.' };
    socket.once('error', () => resolve(undefined));
    socket.once('connect', () => {
      socket.write(`${JSON.stringify(command)}\n`);
      readLine(socket)
        .then((line) => resolve(parseAnswer(line)))
        .catch(() => resolve(gone))
        .finally(() => socket.destroy());
    });
  });
}

/** Reads up to the first line feed. Rejects if the other side ends before it, or sends more than LONGEST characters. */
async function readLine(socket: Socket): Promise<string> {
  let text = '';
  for await (const chunk of socket.setEncoding('utf8').iterator({ destroyOnReturn: false })) {
    text += chunk;
    if (text.length > LONGEST) throw new Error('The line is too long.');
    if (text.includes('\n')) return text.slice(0, text.indexOf('\n'));
  }
  throw new Error('The line is incomplete.');
}

function parseAnswer(line: string): Answer {
  const { code, text } = JSON.parse(line);
  return { code: Number(code), text: String(text) };
}

function parseCommand(line: string): string[] {
  const command: unknown = JSON.parse(line);
  if (Array.isArray(command) && command.every((word) => typeof word === 'string')) return command;
  throw new Error('A command is a JSON array of strings.');
}

/**
 * Listens for commands. The caller holds the lock of the data (`lockData`), so an existing socket is a stale one, of a
 * killed runner. The socket keeps the process alive, even while all parts are stopped and there is no terminal.
 */
export async function listen(dataDir: string, obey: (command: string[]) => Promise<Answer>): Promise<void> {
  const address = addressOf(dataDir);
  const server = createServer((socket) => {
    socket.on('error', () => {}); // the client disconnected
    readLine(socket)
      .then((line) => obey(parseCommand(line)))
      .catch((error) => ({ code: 1, text: String(error) }))
      .then((answer) => socket.end(`${JSON.stringify(answer)}\n`));
  });
  process.once('exit', () => server.close()); // removes the socket file
  if (process.platform !== 'win32') rmSync(address, { force: true });
  await once(server.listen(address), 'listening');
}
