import { createServer, type Server as HttpServer } from 'node:http';
import { type AddressInfo, Server, type Socket } from 'node:net';
import type { Express } from 'express';
import type { Database } from './database.ts';
import type { Log } from './log.ts';
import type { Loop } from './loop.ts';
import type { Streams } from './streams.ts';

type Part = { app: Express; host: string; port: number; log: Log; db: Database; loops: Loop[]; streams?: Streams };

/** How long requests in flight may take to finish at the end, in milliseconds. */
const GRACE = 3_000;

/**
 * Runs a part until SIGTERM or SIGINT: stop accepting, end the streams, let the loops finish their step and requests in
 * flight be answered, close the database, exit 0. A port that is taken ends the process with one line and exit code 1.
 */
export function startServer({ app, host, port, log, db, loops, streams }: Part): void {
  const server = createServer({ headersTimeout: 10_000, requestTimeout: 15_000, keepAliveTimeout: 65_000 }, app);
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
    setTimeout(() => process.exit(1), GRACE + 500).unref();
    streams?.end();
    await Promise.all([close(GRACE), ...loops.map((loop) => loop.stop())]);
    await db.close();
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
  let closing = false;
  const sockets = new Set<Socket>();
  const answering = new Set<Socket>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  server.on('request', ({ socket }, res) => {
    answering.add(socket);
    res.on('close', () => {
      answering.delete(socket);
      if (closing) socket.destroySoon();
    });
  });
  const drop = (those: Iterable<Socket>) => {
    for (const socket of those) socket.destroy();
  };
  return (grace) => {
    closing = true;
    drop(sockets.difference(answering));
    setTimeout(drop, grace, sockets).unref();
    return new Promise((resolve) => Server.prototype.close.call(server, () => resolve()));
  };
}
