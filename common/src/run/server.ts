import type { Server as HttpServer } from 'node:http';
import { createServer, Server, type Socket } from 'node:net';
import type { Express } from 'express';
import type { Database } from '../core/database.ts';
import type { Loop } from '../core/loop.ts';
import { isLoopback } from '../http/access.ts';
import { createHttpServer, settled } from '../http/limits.ts';
import type { Log } from '../observe/log.ts';
import { tracing } from '../observe/traces.ts';

type Part = {
  app: Express;
  host: string;
  port: number;
  /** More names that it is called by on loopback: `ALLOWED_HOSTS`. */
  allowedHosts: string[];
  log: Log;
  db: Database;
  loops: Loop[];
  /** Answers that are held open, until something happens or this ends them. */
  held?: { end(): void };
};

/** How long requests in flight may take to finish at the end, in milliseconds. */
const GRACE = 2_000;
/** How long the end may take in all, in milliseconds; and how much of it is for the last spans at the most. */
export const LONGEST_END = 3_900;
const LAST_SPANS = 1_000;

/**
 * Runs a part until SIGTERM or SIGINT: stop accepting, end what is held open, let requests in flight be answered, then let
 * the loops finish (the outbox goes to the bus if it is there), close the database, exit 0. A port that is taken ends the
 * process with one line and exit code 1.
 */
export function startServer({ app, host, port, allowedHosts, log, db, loops, held }: Part): void {
  if (isLoopback(host)) app.set('allowed hosts', allowedHosts);
  const close = listen(createHttpServer(app), host, port, () => {
    log.info({ url: `http://${host}:${port}`, pid: process.pid }, 'listening');
    for (const loop of loops) loop.start();
  });
  let stopping = false;
  const end = async (signal: string) => {
    if (stopping) return;
    stopping = true;
    log.info({ signal }, 'stopping');
    const until = performance.now() + LONGEST_END;
    setTimeout(() => process.exit(1), LONGEST_END).unref();
    held?.end();
    await close(GRACE);
    await Promise.all(loops.map((loop) => loop.stop()));
    await db.close();
    await tracing.end?.(Math.min(LAST_SPANS, until - performance.now() - 100));
    process.exit(0);
  };
  process.on('SIGTERM', end);
  process.on('SIGINT', end);
}

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
  const second = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => server.emit('connection', socket));
  second.maxConnections = server.maxConnections;
  server.on('error', fail);
  if (!/^(localhost|127\.0\.0\.1|\[?::1\]?)$/i.test(host)) server.listen(port, host, listening);
  else {
    second.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EADDRNOTAVAIL' && error.code !== 'EAFNOSUPPORT') fail(error);
      listening();
    });
    server.listen(port, '127.0.0.1', () => second.listen(port, '::1', listening));
  }

  const drop = () => {
    for (const socket of sockets) socket.destroy();
  };
  return async (grace: number): Promise<void> => {
    for (const socket of sockets) settled(socket).then(() => socket.destroySoon());
    setTimeout(drop, grace).unref();
    await Promise.all(
      [server, second].map((one) => new Promise((resolve) => Server.prototype.close.call(one, resolve))),
    );
  };
}
