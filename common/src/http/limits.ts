// The limits of an HTTP server: slow, idle and too many connections, load shedding, and refusals before any route.
import type { EventEmitter } from 'node:events';
import {
  createServer,
  type RequestListener,
  type Server,
  type ServerOptions,
  type ServerResponse,
  STATUS_CODES,
} from 'node:http';
import type { Socket } from 'node:net';
import { problemDocument } from './problem.ts';

/** The limits of every server; times in milliseconds. Tests shorten them. */
export const LIMITS = {
  /** The maximum time of a request's headers; on a new connection from when it was opened. */
  headersTimeout: 5_000,
  /** The maximum time of a request, its body included. */
  requestTimeout: 10_000,
  connectionsCheckingInterval: 500,
  /** The time for which a connection stays open between two requests. */
  keepAliveTimeout: 65_000,
  /** The maximum time for which a caller reads nothing of an answer that waits for it. */
  unread: 30_000,
  /** Load shedding: requests still queued after a turn of the event loop has taken requests for this long get 503. */
  turn: 100,
  /** The number of requests in a turn that are never shed: a process that got no processor time is not overloaded. */
  burst: 32,
  /** The maximum of open connections; the next one is closed at once. */
  connections: 5_000,
  /** Time for reading on a refused connection: closing it with unread bytes would reset it, and the answers might be lost. */
  linger: 1_000,
};

/** The answers under way on each connection, in the order of their requests: a client may send the next early (pipelining). */
const underWay = new WeakMap<Socket, Set<ServerResponse>>();

/** Resolves when the answers under way on a connection, or those of them that are `awaited`, have been sent. */
export async function settled(socket: Socket, awaited = (_: ServerResponse) => true): Promise<void> {
  for (const res of underWay.get(socket) ?? []) {
    if (awaited(res)) await new Promise((resolve) => res.once('close', resolve));
  }
}

/** An HTTP server with limits, whose answers are problem details also where no route has the request. */
export function createHttpServer(
  listener?: RequestListener,
  limits: Partial<typeof LIMITS> & ServerOptions = {},
): Server {
  const { unread, connections, turn, burst, linger, ...options } = { ...LIMITS, ...limits };
  const server = createServer(options, listener && shedding(listener, turn, burst));
  server.maxConnections = connections;
  server.timeout = unread;
  server.on('connection', (socket) => underWay.set(socket, new Set()));
  server.on('request', ({ socket }, res) => {
    const answers = underWay.get(socket);
    answers?.add(res);
    res.on('close', () => answers?.delete(res));
    // Nothing came or went. An answer that is being worked on, or a stream without news, may go on.
    res.on('timeout', () => {
      if (socket.writableLength > 0) socket.destroy();
    });
  });
  const refused = new WeakSet<Socket>();
  // Requests that came whole are acted upon, so they are answered first. One that did not has the refusal as its answer.
  const refuse = async (socket: Socket, code?: string) => {
    // A connection that broke, here or there, is reported as well.
    if (refused.has(socket) || socket.destroyed) return;
    refused.add(socket);
    await settled(socket, ({ req, headersSent }) => req.complete || headersSent);
    if (socket.writable) socket.end(refusal(code));
    setTimeout(() => socket.destroy(), linger).unref();
  };
  server.on('clientError', ({ code }: NodeJS.ErrnoException, socket) => refuse(socket as Socket, code));
  server.on('connect', ({ socket }) => refuse(socket));
  return server;
}

/**
 * Load shedding: a request that has already waited too long for its turn gets 503 at once, before anything is spent on it; else
 * the queueing delay of those behind it grows without bound. Deliveries of the bus and questions about health are never shed. A
 * listener that is an app gets the event `refused`.
 */
function shedding(listener: RequestListener, turn: number, burst: number): RequestListener {
  let began = 0;
  let taken = 0;
  return (req, res) => {
    if (taken === 0) {
      began = performance.now();
      setImmediate(() => {
        taken = 0;
      });
    }
    taken += 1;
    const isInTime = taken <= burst || performance.now() - began <= turn;
    if (isInTime || ALWAYS.includes(req.url ?? '')) return listener(req, res);
    (listener as Partial<EventEmitter>).emit?.('refused', req, res);
    res.writeHead(503, BUSY_HEADERS).end(BUSY);
  };
}

const BUSY = problemDocument(503, 'More is asked than can be done at the moment; nothing was done.');
const BUSY_HEADERS = { 'Content-Type': 'application/problem+json', 'Content-Length': BUSY.length, 'Retry-After': '1' };
const ALWAYS = ['/events', '/healthz', '/readyz', '/metrics'];

/** A whole answer for an error of Node's parser, by its code. */
function refusal(code = ''): string {
  const [status, detail] = REFUSALS[code] ?? [400, 'The request is malformed.'];
  const body = problemDocument(status, detail);
  const headers = ['Content-Type: application/problem+json', `Content-Length: ${body.length}`, 'Connection: close'];
  return [`HTTP/1.1 ${status} ${STATUS_CODES[status]}`, ...headers, '', body].join('\r\n');
}

const REFUSALS: Record<string, [number, string]> = {
  HPE_HEADER_OVERFLOW: [431, 'The headers are over the limit of 16384 bytes.'],
  HPE_CHUNK_EXTENSIONS_OVERFLOW: [413, 'The chunk extensions are over the limit of 16384 bytes.'],
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'The request did not come in time.'],
};
