// One HTTP exchange between parts: every event goes through here.
import { lookup as ask } from 'node:dns';
import http from 'node:http';
import https from 'node:https';
import type { LookupFunction, Socket } from 'node:net';
import type { Sending } from './observer.ts';
import { printable } from './printable.ts';

/** The address of the bus, the token that the bus and the services know each other by, and the name of this copy. */
export type Bus = { url: string; token?: string; publisher?: string };

/** `body` is `text` parsed as JSON; undefined if it is not JSON, or was too long to be read to its end. */
export type Answer = { status: number; headers: http.IncomingHttpHeaders; text: string; body: unknown };
type Request = {
  method: 'GET' | 'HEAD' | 'POST';
  url: string;
  headers?: Record<string, string | undefined>;
  /** Sent as a bearer token (RFC 6750 §2.1). */
  token?: string;
  body?: string;
  /** The maximum time until the answer has been read, in milliseconds. */
  deadline?: number;
  /** Ends the exchange early. */
  ending?: AbortSignal;
  /** The maximum of the answer that is read, in bytes. */
  limit?: number;
};

/** Failures of the network in words, as people read them on the System page. */
const WORDS: Partial<Record<string, string>> = {
  ABORT_ERR: 'no answer in time',
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection reset',
  ETIMEDOUT: 'connection timed out',
  ENOTFOUND: 'host name not found',
  EAI_AGAIN: 'host name not found for now',
};

/** An exchange without an answer. `heard`: a connection was open, so a process listens there, and this one did not end it. */
export class NoAnswer extends Error {
  readonly heard: boolean;
  constructor(why: string, heard: boolean) {
    super(why);
    this.heard = heard;
  }
}

/** The maximum time in which a connection opens, in milliseconds: the address of a pod that has just gone refuses nothing. */
const OPEN_WITHIN = 2_000;

function opensInTime<A extends http.Agent>(agent: A): A {
  const open = agent.createConnection.bind(agent);
  agent.createConnection = (...args) => {
    const socket = open(...args) as Socket;
    const late = Object.assign(new Error('The connection did not open in time.'), { code: 'ETIMEDOUT' });
    socket.setTimeout(OPEN_WITHIN, () => socket.connecting && socket.destroy(late));
    return socket.once('connect', () => socket.setTimeout(0));
  };
  return agent;
}

/** `localhost`, and any name that ends so, is both addresses of loopback (RFC 6761 §6.3), whatever the hosts file says. Node tries them in turn (RFC 8305). */
const LOOPBACK = ['127.0.0.1', '::1'].map((address, i) => ({ address, family: i === 0 ? 4 : 6 }));
const lookup: LookupFunction = (host, options, callback) =>
  /^(.+\.)?localhost$/.test(host) && options.all ? callback(null, LOOPBACK) : ask(host, options, callback);

/** Connections to other parts are kept open between requests. */
export const agents = {
  http: opensInTime(new http.Agent({ keepAlive: true, lookup })),
  https: opensInTime(new https.Agent({ keepAlive: true, lookup })),
};

/**
 * One exchange between parts, on `node:http`: axios took three times as much processor time. Redirects are never followed.
 * @throws NoAnswer when refused, reset or too slow
 */
export function exchange({ deadline = 10_000, limit = 64 * 1024, ...request }: Request): Promise<Answer> {
  const { method, url, token, body, ending: signal } = request;
  const given: Request['headers'] = { ...request.headers, authorization: token && `Bearer ${token}` };
  const headers = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  return new Promise((resolve, reject) => {
    const isSecure = url.startsWith('https:');
    const agent = isSecure ? agents.https : agents.http;
    const sent = (isSecure ? https : http).request(url, { method, headers, signal, agent });
    let open = false;
    const fail = ({ code, message }: NodeJS.ErrnoException) => {
      reject(new NoAnswer(WORDS[code ?? ''] ?? code ?? message, open && !signal?.aborted));
      sent.destroy();
    };
    const timer = setTimeout(fail, deadline, new Error('no answer in time'));
    sent.on('error', fail).on('close', () => clearTimeout(timer));
    sent.on('socket', (socket) => {
      open = !socket.connecting;
      if (socket.connecting) socket.once('connect', () => (open = true));
    });
    // Without a listener the connection would end, and neither an answer nor an error come.
    sent.on('upgrade', () => fail(new Error('switched to another protocol')));
    sent.on('response', (answer) => {
      const { statusCode: status = 0, headers } = answer;
      const chunks: Buffer[] = [];
      let size = 0;
      const done = () => {
        const text = Buffer.concat(chunks).toString('utf8', 0, limit);
        resolve({ status, headers, text, body: size > limit ? undefined : parseJson(text) });
        // A refusal may come from the wrong process: an open connection leads to where its name led when it was opened.
        // A server may close a connection as asked without saying so (RFC 9112 §9.6), and Node would use it again.
        if (status >= 400 || size > limit || given.connection === 'close') sent.socket?.destroy();
      };
      answer.on('error', fail).on('end', done);
      answer.on('data', (chunk: Buffer) => {
        chunks.push(chunk);
        size += chunk.length;
        if (size > limit) done();
      });
    });
    sent.end(body);
  });
}

/** The same for an exchange that carries events, as it is observed. */
export async function carry(request: Request, { traceparent, end }: Sending): Promise<Answer> {
  try {
    const answer = await exchange({ ...request, headers: { ...request.headers, traceparent } });
    end(isSuccess(answer) ? undefined : `answered ${answer.status}`);
    return answer;
  } catch (error) {
    end(reason(error));
    throw error;
  }
}

export const isSuccess = ({ status }: Answer): boolean => status >= 200 && status < 300;

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The reason that an answer gives, in one short line: the `detail` of a problem document, or the text of any other body. */
export function detailOf({ body, text }: Pick<Answer, 'body' | 'text'>): string {
  const { detail } = (body ?? {}) as { detail?: unknown };
  const said = typeof detail === 'string' ? detail : text;
  return printable(said.slice(0, 500).toWellFormed().replace(/\s+/g, ' ').trim());
}

/** The reason for which an exchange failed, in one short line. */
export const reason = (error: unknown): string =>
  error instanceof NoAnswer ? error.message : ((error as { code?: string }).code ?? String(error));
