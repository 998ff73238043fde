import type { Server as HttpServer } from 'node:http';
import { type AddressInfo, Server, type Socket } from 'node:net';
import type { Express } from 'express';
import type { Database } from './database.ts';
import { createHttpServer, settled } from './limits.ts';
import type { Log } from './log.ts';
import type { Loop } from './loop.ts';
import { isLoopback } from './origins.ts';
import { tracing } from './tracing.ts';

type Part = {
  app: Express;
  host: string;
  port: number;
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
export function startServer({ app, host, port, log, db, loops, held }: Part): void {
  if (isLoopback(host)) app.enable('loopback');
  const server = createHttpServer(app);
  server.on('error', (error: NodeJS.ErrnoException) => {
    process.stderr.write(
      error.code === 'EADDRINUSE' ? `Port ${port} is already in use.\n` : `Cannot listen: ${error.message}\n`,
    );
    process.exit(1);
  });
  server.listen(port, host, () => {
    const { port: bound } = server.address() as AddressInfo;
    log.info({ url: `http://${host}:${bound}`, pid: process.pid }, 'listening');
    for (const loop of loops) loop.start();
  });

  const close = closeable(server);
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
 * Makes the function that closes a server: nothing new is accepted, idle connections end, answers under way are sent to
 * their end, at most `grace` milliseconds long. Not its own close(): that drops an answer that is written but has not
 * left the process yet.
 */
export function closeable(server: HttpServer): (grace: number) => Promise<void> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  return (grace) => {
    for (const socket of sockets) settled(socket).then(() => socket.destroySoon());
    setTimeout(() => sockets.forEach((socket) => void socket.destroy()), grace).unref();
    return new Promise((resolve) => Server.prototype.close.call(server, () => resolve()));
  };
}
