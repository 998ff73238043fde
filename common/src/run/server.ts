// A server's process: listening, and the end on a signal.
import type { Server as HttpServer } from 'node:http';
import { createServer, Server, type Socket } from 'node:net';
import type { Log } from '../core/observer.ts';
import { settled } from '../http/limits.ts';

/**
 * Listens; on loopback on both of its addresses, because either may be what a caller's system calls `localhost`. One that the
 * machine does not have is left out; a port that is taken on either ends the process with one line and exit code 1.
 *
 * Returns the function that closes: nothing new is accepted, idle connections end, answers under way are sent to their end, at
 * most `grace` milliseconds long. Not the server's own close(): that drops an answer that is written but has not left the
 * process yet.
 */
export function listen(server: HttpServer, host: string, port: number, listening: () => void) {
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  const fail = (error: NodeJS.ErrnoException) => {
    const taken = error.code === 'EADDRINUSE';
    process.stderr.write(taken ? `Port ${port} is already in use.\n` : `Cannot listen: ${error.message}\n`);
    process.exit(1);
  };
  server.on('error', fail);
  const second = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => server.emit('connection', socket));
  second.maxConnections = server.maxConnections;
  second.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EADDRNOTAVAIL' && error.code !== 'EAFNOSUPPORT') fail(error);
    listening();
  });
  if (!/^(localhost|127\.0\.0\.1|\[?::1\]?)$/i.test(host)) server.listen(port, host, listening);
  else server.listen(port, '127.0.0.1', () => second.listen(port, '::1', listening));

  return async (grace: number): Promise<void> => {
    for (const socket of sockets) settled(socket).then(() => socket.destroySoon());
    setTimeout(() => {
      for (const socket of sockets) socket.destroy();
    }, grace).unref();
    // The net.Server's close(): the http.Server's drops connections.
    const closed = [server, second].map((one) => new Promise((done) => Server.prototype.close.call(one, done)));
    await Promise.all(closed);
  };
}

/** Ends the process with exit code 0 after `end`, once, on SIGTERM or SIGINT. */
export function endOnSignal(log: Log, end: () => Promise<void>): void {
  let stopping = false;
  const stop = async (signal: string) => {
    if (stopping) return;
    stopping = true;
    log.info({ signal }, 'stopping');
    await end();
    process.exit(0);
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
}
