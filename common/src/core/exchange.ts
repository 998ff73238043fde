import { lookup as ask } from 'node:dns';
import http, { Agent } from 'node:http';
import https, { Agent as SecureAgent } from 'node:https';
import type { LookupFunction, Socket } from 'node:net';
import { printable } from './printable.ts';

/**
 * How long a connection may take to open, in milliseconds. Where nobody listens it is refused at once; but the address of
 * a pod that has just gone refuses nothing: there it would wait until the exchange's own deadline.
 */
const OPEN_WITHIN = 2_000;

function hurried<A extends Agent>(agent: A): A {
  const open = agent.createConnection.bind(agent);
  agent.createConnection = (...args) => {
    const socket = open(...args) as Socket;
    const late = Object.assign(new Error('The connection did not open in time.'), { code: 'ETIMEDOUT' });
    const timer = setTimeout(() => socket.destroy(late), OPEN_WITHIN);
    for (const event of ['connect', 'close']) socket.once(event, () => clearTimeout(timer));
    return socket;
  };
  return agent;
}

const LOOPBACK = [
  { address: '127.0.0.1', family: 4 },
  { address: '::1', family: 6 },
];

/**
 * `localhost` is both addresses of loopback (RFC 6761 §6.3), whatever the system's hosts file says: a part of one's own may
 * listen on either. They are tried in turn (Happy Eyeballs, RFC 8305).
 */
const lookup: LookupFunction = (host, options, callback) =>
  host === 'localhost' && options.all ? callback(null, LOOPBACK) : ask(host, options, callback);

/** What requests to other parts go through: connections are kept open between them. */
export const agents = {
  httpAgent: hurried(new Agent({ keepAlive: true, lookup })),
  httpsAgent: hurried(new SecureAgent({ keepAlive: true, lookup })),
};

/** Where the bus is, and the token that it and the services know each other by. */
export type Bus = { url: string; token?: string };

/** `body` is what `text` says as JSON; undefined if it is none, or was too long to be read to its end. */
export type Answer = { status: number; headers: http.IncomingHttpHeaders; text: string; body: unknown };
type Request = {
  method: 'GET' | 'HEAD' | 'POST';
  url: string;
  headers?: Record<string, string | undefined>;
  /** Sent as a bearer token (RFC 6750 §2.1). */
  token?: string;
  body?: string;
  /** How long the exchange may take, the answer's body included, in milliseconds. */
  deadline?: number;
  /** Ends the exchange early. */
  ending?: AbortSignal;
  /** How much of the answer is read, in bytes. */
  limit?: number;
};

/** An exchange without an answer. `heard`: a connection was open, so a process listens there, and this one did not end it. */
export class NoAnswer extends Error {
  readonly heard: boolean;
  constructor(why: string, heard: boolean) {
    super(why);
    this.heard = heard;
  }
}

/**
 * One exchange between parts. Redirects are answers like any other and never followed. Written on `node:http`, because
 * every event goes through here: axios took three times as much of the processor for the same exchange.
 * @throws NoAnswer when refused, reset or too slow
 */
export function exchange({ deadline = 10_000, limit = 64 * 1024, ...request }: Request): Promise<Answer> {
  const { method, url, token, body, ending: signal } = request;
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(request.headers ?? {})) if (value !== undefined) headers[name] = value;
  if (token) headers.authorization = `Bearer ${token}`;
  return new Promise((resolve, reject) => {
    const sent = url.startsWith('https:')
      ? https.request(url, { method, headers, signal, agent: agents.httpsAgent })
      : http.request(url, { method, headers, signal, agent: agents.httpAgent });
    let open = false;
    const fail = (why: string) => {
      reject(new NoAnswer(why, open && !signal?.aborted));
      sent.destroy();
    };
    const failed = ({ code, message }: NodeJS.ErrnoException) =>
      fail(code === 'ABORT_ERR' ? 'no answer in time' : (code ?? message));
    const timer = setTimeout(fail, deadline, 'no answer in time');
    sent.on('error', failed).on('close', () => clearTimeout(timer));
    sent.on('socket', (socket) => {
      open = !socket.connecting;
      if (socket.connecting) socket.once('connect', () => (open = true));
    });
    sent.on('response', (answer) => {
      const { statusCode: status = 0, headers } = answer;
      const chunks: Buffer[] = [];
      let size = 0;
      const done = () => {
        const text = Buffer.concat(chunks).toString('utf8', 0, limit);
        resolve({ status, headers, text, body: size > limit ? undefined : parseJson(text) });
        // A refusal may come from the wrong process: an open connection leads to where its name led when it was opened. The
        // next attempt opens a new one.
        if (status >= 400 || size > limit) sent.socket?.destroy();
      };
      answer.on('error', failed).on('end', done);
      answer.on('data', (chunk: Buffer) => {
        chunks.push(chunk);
        size += chunk.length;
        if (size > limit) done();
      });
    });
    sent.end(body);
  });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/**
 * The reason that an answer gives, in one short line that is safe for a terminal: the `detail` of a problem document, or
 * the text of any other body.
 */
export function detailOf({ body, text }: Pick<Answer, 'body' | 'text'>): string {
  const { detail } = (body ?? {}) as { detail?: unknown };
  const said = typeof detail === 'string' ? detail : text;
  return printable(said.slice(0, 500).toWellFormed().replace(/\s+/g, ' ').trim());
}

/** The reason that an exchange failed for, in one short line. */
export const reason = (error: unknown): string =>
  error instanceof NoAnswer ? error.message : ((error as { code?: string }).code ?? String(error));
