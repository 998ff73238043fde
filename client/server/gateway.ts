// The gateway on one machine: the guard before Vite's own proxy (vite.config.ts). In the container nginx does both.

import type { IncomingMessage, ServerResponse } from 'node:http';
import { Server } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { exchange } from '@blog/common/core/exchange.ts';
import { isForLocalhost, isSafe, WRONG_HOST } from '@blog/common/http/access.ts';
import { hasBody } from '@blog/common/http/input.ts';
import { problemDocument, problemPage } from '@blog/common/http/problem.ts';
import { httpUrl, localDefault, serverSettings } from '@blog/common/run/config.ts';
import { localUrl, PORTS, SERVERS, urlSetting } from '@blog/common/run/parts.ts';
import type { Plugin, PreviewServer, ViteDevServer } from 'vite';
import { z } from 'zod';
import release from '../package.json' with { type: 'json' };
import { builtPage, hasMarks, withMarks } from './marks.ts';
import { findRoute, parseTarget } from './routes.ts';
import { authorize } from './sign-in.ts';

/** The settings, from the environment: among them the addresses of the parts, as `POSTS_URL`. */
export const settingsSchema = z.object({
  ...serverSettings(PORTS.client),
  CONTROL: z.enum(['on', 'off']).default('off'),
  /** The address of auth. Without it there is no sign-in, and anyone may write. */
  AUTH_URL: httpUrl.optional(),
  /** The bus in place of ours, and what the page tells about it (scripts/lib/other-bus.ts). */
  BUS_LESSON: z.string().optional(),
  LOGS_URL: httpUrl.optional(),
  ...Object.fromEntries(SERVERS.map((part) => [urlSetting(part), localDefault(httpUrl, localUrl(part))])),
});
export type Settings = z.output<typeof settingsSchema> & { [url: string]: unknown };

/** All that the page is loaded from. Other addresses of Vite have side effects: one starts an editor. */
const FILES = /^\/((src|docs|node_modules|assets|@vite|@id|@fs)\/|@react-refresh$|[\w-]+\.(svg|html)$)/;
/** Hop-by-hop headers (RFC 9110 §7.6.1), and what parts need neither of the page nor of the client. */
const NOT_PASSED_ON =
  /^(connection|keep-alive|proxy-.*|te|trailer|upgrade|http2-.*|expect|origin|authorization|cookie)$/;

/** The path and the protocol of Vite's own WebSocket (RFC 9110 §7.8), which only `vite` has. */
const SOCKET = /^\/(\?\S*)? vite-(hmr|ping)$/;
const NOTHING = 'There is nothing at this address.';

type Vite = ViteDevServer | PreviewServer;

/** For `vite` and `vite preview` alike. */
export const gateway = (settings: Settings): Plugin => ({
  name: 'gateway',
  configureServer: (vite) => guard(vite, settings),
  configurePreviewServer: (vite) => guard(vite, settings, vite.config.preview.headers),
  transformIndexHtml: (html, { path }) => (path === '/index.html' ? withMarks(html, settings) : html),
});

/** Refuses every request that is not in the table, and answers those to the gateway itself. */
function guard(vite: Vite, settings: Settings, headers = {}) {
  const hasOwnName = (req: IncomingMessage) => isForLocalhost(req, settings.ALLOWED_HOSTS);
  // Any other request for an upgrade, to HTTP/2 for example, is answered in HTTP/1.1.
  const shouldUpgradeCallback = (req: IncomingMessage) =>
    'ws' in vite && SOCKET.test(`${req.url} ${req.headers['sec-websocket-protocol']}`) && hasOwnName(req);
  // In milliseconds: connections whose request does not come are closed.
  const limits = { headersTimeout: 5_000, requestTimeout: 10_000, connectionsCheckingInterval: 500 };
  Object.assign(vite.httpServer as object, { ...limits, shouldUpgradeCallback });
  const answering = new Set<ServerResponse>();
  endGracefully(vite, answering);

  vite.middlewares.use((req, res, next) => {
    answering.add(res);
    res.on('close', () => answering.delete(res));
    for (const [name, value] of Object.entries<string>(headers)) res.setHeader(name, value);
    const { method = 'GET', url = '/' } = req;
    const target = parseTarget(url);
    // A part might not read an unexpected body, and take it for the next request.
    if (!target || (method !== 'POST' && hasBody(req))) return problem(res, 400, 'The request is malformed.');
    if (!hasOwnName(req)) return problem(res, 403, WRONG_HOST);
    if (target.isInternal) return problem(res, 404, NOTHING);
    if (!isSafe(req) && !isOwnOrigin(req)) return problem(res, 403, 'Other origins cannot change anything here.');

    const { path, query } = target;
    const { AUTH_URL } = settings;
    const control = settings.CONTROL === 'on';
    const { part, to, isControl, allow } = findRoute(method, path, control, AUTH_URL !== undefined);
    if (!part && allow) return problem(res, 405, `Only ${allow} can be used here.`, { Allow: allow });
    if (isControl && !isJsonOrNothing(req)) return problem(res, 415, 'The body must be application/json.');
    if (part && part !== 'client') {
      const { headers } = req;
      const { cookie } = headers;
      for (const name of Object.keys(headers)) if (NOT_PASSED_ON.test(name)) delete headers[name];
      headers['x-forwarded-for'] = req.socket.remoteAddress;
      req.url = `/@${part}${to}${query}`;
      if (part === 'auth' && cookie) headers.cookie = cookie;
      if (!AUTH_URL || part === 'auth' || method !== 'POST' || isControl) return next();
      return void authorize(headers, cookie, AUTH_URL, part).then((refusal) =>
        refusal ? problem(res, refusal.status, refusal.detail, refusal.headers) : next(),
      );
    }
    const ready = { status: 'ready', degraded: [] };
    if (path === '/healthz') return send(res, 200, 'json', JSON.stringify({ status: 'ok', version: release.version }));
    if (path === '/readyz') return send(res, 200, 'json', JSON.stringify(ready));
    if (part && to.endsWith('/state'))
      return void sendStates(res, settings, { ...ready, control, logs: settings.LOGS_URL });
    const isPage = part || req.headers.accept?.includes('text/html');
    if (path.startsWith('/api/') || !isSafe(req) || !(isPage || FILES.test(path))) return problem(res, 404, NOTHING);
    req.url = FILES.test(path) ? path + query : '/index.html';
    if (!hasMarks(settings) || 'ws' in vite || !req.url.startsWith('/index.html')) return next();
    res
      .writeHead(200, { 'Content-Type': 'text/html; charset=utf-8', 'Cache-Control': 'no-cache' })
      .end(builtPage(vite, settings));
  });
}

/** Browsers send the `Origin` of the page, curl sends none. The scheme is not compared: TLS may end before us. */
const isOwnOrigin = ({ headers: { origin, host } }: IncomingMessage) =>
  origin === undefined || (URL.canParse(origin) && new URL(origin).host === host?.toLowerCase());

/** A form can send other types without a CORS preflight, so CSRF protection does not rest on `Origin` alone. */
const isJsonOrNothing = (req: IncomingMessage) =>
  /^application\/json\s*(;|$)/i.test(req.headers['content-type'] ?? (hasBody(req) ? '' : 'application/json'));

/** Sends the states of all parts, a line of JSON each (NDJSON). A part that answers no JSON gets a line that is none either. */
async function sendStates(res: ServerResponse, settings: Settings, own: object) {
  const ask = async (name: string, part: string, path: string) => {
    const url = new URL(path, `${settings[urlSetting(part)]}`).href;
    const answer = await exchange({ method: 'GET', url, deadline: 1_000 }).catch(() => undefined);
    return `{"name":"${name}","state":${answer ? (JSON.stringify(answer.body) ?? '') : null}}\n`;
  };
  const asked = [
    ...SERVERS.map((part) => ask(part, part, '/readyz')),
    ask('subscriptions', 'event-bus', '/subscriptions'),
  ];
  const lines = [`${JSON.stringify({ name: 'client', state: own })}\n`, ...(await Promise.all(asked))];
  send(res, 200, 'x-ndjson', lines.join(''));
}

function send(res: ServerResponse, status: number, type: string, body: string, headers = {}) {
  res.writeHead(status, { 'Content-Type': `application/${type}`, 'Cache-Control': 'no-store', ...headers }).end(body);
}

/** Sends problem details (RFC 9457). */
export const problem = (res: ServerResponse, status: number, detail: string, headers = {}) =>
  send(res, status, 'problem+json', problemDocument(status, detail), headers);

/** Sends a problem to a browser that goes to an address of sign-in. */
export const problemAsPage = (res: ServerResponse, status: number, detail: string, headers = {}) =>
  res
    .writeHead(status, { 'Content-Type': 'text/html; charset=utf-8', 'Cache-Control': 'no-store', ...headers })
    .end(problemPage(detail));

/** Vite alone would cut off the requests in flight. Streams are: their readers reconnect, to the next process. */
function endGracefully(vite: Vite, answering: Set<ServerResponse>) {
  const close = vite.close.bind(vite);
  vite.close = async () => {
    // The net.Server's close(): nothing new is accepted, and what is under way goes on, for at most 1.5 seconds.
    Server.prototype.close.call(vite.httpServer);
    for (let i = 0; i < 150 && answering.size > 0; i++, await delay(10)) {
      for (const res of answering) if (`${res.getHeader('content-type')}`.startsWith('text/event')) res.destroy();
    }
    process.exitCode = 0;
    await close().catch(() => undefined);
  };
}
