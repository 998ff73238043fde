// The load balancer of `npm start -- --copies 2`, as a Service is in Kubernetes: `balancer.ts 4000=4100,4200` passes each
// request to port 4000 on to one of the copies at 4100 and 4200, in turn (round robin).
import http, { type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import { isSafe } from '@blog/common/http/access.ts';
import { createHttpServer } from '@blog/common/http/limits.ts';
import { problemDocument } from '@blog/common/http/problem.ts';
import { listen } from '@blog/common/run/server.ts';

const HOST = '127.0.0.1';
/** The interval between two questions to a copy, in milliseconds, and the time in which it answers. */
const ASK_MS = 1_000;
/** A copy that is not ready is asked more often: it may just have been restarted. */
const ASK_SOON_MS = 200;

/** Headers that are about one connection only (RFC 9110 §7.6.1). A body's encoding stays: Node decodes and encodes it. */
const HOP_BY_HOP = ['connection', 'keep-alive', 'proxy-connection', 'te', 'trailer', 'upgrade', 'expect'];

const agent = new http.Agent({ keepAlive: true });

/** One copy, and its readiness by its `/readyz`. */
class Copy {
  readonly port: number;
  ready = false;

  constructor(port: number) {
    this.port = port;
  }

  async ask(): Promise<void> {
    const signal = AbortSignal.timeout(ASK_MS);
    const answer = await fetch(`http://${HOST}:${this.port}/readyz`, { signal }).catch(() => undefined);
    await answer?.body?.cancel();
    this.ready = answer?.ok ?? false;
  }

  async watch(): Promise<never> {
    for (;;) {
      await this.ask();
      await new Promise((resolve) => setTimeout(resolve, this.ready ? ASK_MS : ASK_SOON_MS));
    }
  }
}

/** The copies of one part: takes a request, and answers with what one of them answers. */
class Copies {
  readonly #copies: Copy[];
  #turn = 0;

  constructor(ports: number[]) {
    this.#copies = ports.map((port) => new Copy(port));
    for (const copy of this.#copies) void copy.watch();
  }

  async take(req: IncomingMessage, res: ServerResponse): Promise<void> {
    this.#turn += 1;
    const inOrder = this.#copies.map((_, index) => this.#copies[(this.#turn + index) % this.#copies.length] as Copy);
    for (const copy of inOrder) if (copy.ready && (await this.#try(copy, req, res))) return;
    // The known state of the copies is up to a second old: none is refused for that.
    await Promise.all(inOrder.map((copy) => copy.ask()));
    for (const copy of inOrder) if (copy.ready && (await this.#try(copy, req, res))) return;
    refuse(res, 503, 'No copy is ready at the moment.');
  }

  async #try(copy: Copy, req: IncomingMessage, res: ServerResponse): Promise<boolean> {
    if (res.destroyed || (await pass(req, res, copy.port))) return true;
    copy.ready = false;
    return false;
  }
}

/**
 * Passes a request on, with its `Host` as it came: a copy checks the name by which it is called. A request that may have
 * reached a copy is not repeated, because it may have been carried out; only a reading one is, on a connection that the copy
 * has closed meanwhile (RFC 9110 §9.2.2).
 * @returns false if another copy may be tried
 */
function pass(req: IncomingMessage, res: ServerResponse, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const { method, url: path } = req;
    const passed = http.request({ agent, host: HOST, port, method, path, headers: endToEnd(req.headers) });
    let answered = false;
    passed.on('socket', (socket) => {
      // The body is kept until a connection is there: it can be read only once.
      if (socket.connecting) socket.once('connect', () => req.pipe(passed));
      else req.pipe(passed);
    });
    passed.on('response', (answer) => {
      answered = true;
      res.writeHead(answer.statusCode ?? 502, answer.statusMessage, endToEnd(answer.headers));
      // The header of a stream leaves before its first event.
      if (answer.headers['content-length'] === undefined) res.flushHeaders();
      answer.pipe(res);
      // A copy that ends in the middle of an answer: so does the answer, and the caller sees that it is incomplete.
      answer.once('error', () => res.destroy());
      answer.once('end', () => resolve(true));
    });
    passed.on('error', (error: NodeJS.ErrnoException) => {
      if (answered) return; // a copy may refuse a body before it has come whole
      if (error.code === 'ECONNREFUSED' || (isSafe(req) && passed.reusedSocket)) return resolve(false);
      refuse(res, 502, 'The copy that had this request ended before it answered. It may have been carried out.');
      resolve(true);
    });
    // The caller has the answer, or went away: then nobody waits for the copy's any more.
    res.once('close', () => {
      if (!res.writableFinished) passed.destroy();
      resolve(true);
    });
  });
}

function endToEnd(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  const dropped = new Set([...HOP_BY_HOP, ...(headers.connection ?? '').toLowerCase().split(/\s*,\s*/)]);
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !dropped.has(name)));
}

function refuse(res: ServerResponse, status: number, detail: string): void {
  if (res.destroyed) return;
  const headers = { 'Content-Type': 'application/problem+json', 'Retry-After': '1' };
  res.writeHead(status, headers).end(problemDocument(status, detail));
}

const closing = process.argv.slice(2).map((ports) => {
  const [port = 0, ...copies] = ports.split(/[=,]/).map(Number);
  const part = new Copies(copies);
  return listen(
    createHttpServer((req, res) => void part.take(req, res)),
    HOST,
    port,
    () => {},
  );
});

/** The time that requests under way have to finish at the end, in milliseconds. */
const GRACE = 2_000;
process.once('SIGTERM', async () => {
  await Promise.all(closing.map((close) => close(GRACE)));
  process.exit(0);
});
