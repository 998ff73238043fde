import http, { type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import https from 'node:https';
import { pipeline } from 'node:stream';
import { agents } from '@blog/common/core/exchange.ts';
import { sendProblem } from './problem.ts';

/** The deadline for the first byte of a part's answer, in milliseconds. */
const ANSWER_WITHIN = 30_000;

/** Hop-by-hop headers (RFC 9110 §7.6.1), and other ones that concern only the client's connection to us. */
const HOP_BY_HOP = [
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
];
/** Parts need neither the page's origin nor the client's credentials. Node itself answers `Expect`. */
const NOT_PASSED_ON = [...HOP_BY_HOP, 'host', 'origin', 'authorization', 'expect'];
const WITHOUT_BODY = ['content-length', 'content-type', 'content-encoding'];

/**
 * Streams one request to a part and the part's answer back, without storing either, so backpressure reaches both ends.
 * A part that does not answer is a 503. A part that dies in the middle of its answer ends the client's connection, so
 * that no truncated answer looks complete. A client that disconnects ends the request to the part.
 */
export function proxy(req: IncomingMessage, res: ServerResponse, url: URL, part: string, again = true): void {
  // Only POST has a body here. A body that Node would send without framing could smuggle in a second request.
  const hasBody = req.method === 'POST';
  const headers = passedOn(req.headers, hasBody ? NOT_PASSED_ON : [...NOT_PASSED_ON, ...WITHOUT_BODY]);
  // Set by the gateway alone: a client could claim any address.
  headers['x-forwarded-for'] = req.socket.remoteAddress;
  const options = { method: req.method, headers, timeout: ANSWER_WITHIN };
  const upstream =
    url.protocol === 'https:'
      ? https.request(url, { ...options, agent: agents.https })
      : http.request(url, { ...options, agent: agents.http });

  const leave = () => upstream.destroy();
  res.on('close', leave);

  upstream.on('response', (answer) => {
    upstream.setTimeout(0);
    res.writeHead(answer.statusCode ?? 502, passedOn(answer.headers, HOP_BY_HOP));
    res.flushHeaders();
    // A failure of either side destroys the other too; there is no one left to report it to.
    pipeline(answer, res, () => undefined);
  });
  upstream.on('timeout', leave);
  upstream.on('error', (error: NodeJS.ErrnoException) => {
    res.off('close', leave);
    if (res.headersSent || res.destroyed) return;
    // A keep-alive race: the part closed the idle connection as it was reused, and has seen nothing of the request.
    if (again && upstream.reusedSocket && !hasBody && error.code === 'ECONNRESET') {
      return proxy(req, res, url, part, false);
    }
    if (hasBody) req.unpipe(upstream).resume();
    sendProblem(res, 503, `${part} is not answering. Try again in a moment.`, { 'Retry-After': '1' });
  });

  if (hasBody) req.pipe(upstream);
  else if (req.readableEnded) upstream.end();
  // A request is ended only when complete, so a malformed one reaches no part.
  else req.resume().once('end', () => upstream.end());
}

function passedOn(headers: IncomingHttpHeaders, without: readonly string[]): IncomingHttpHeaders {
  const named = (headers.connection ?? '').split(',').map((name) => name.trim().toLowerCase());
  return Object.fromEntries(
    Object.entries(headers).filter(([name]) => !without.includes(name) && !named.includes(name)),
  );
}
