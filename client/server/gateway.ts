import type { IncomingMessage, ServerResponse } from 'node:http';
import { exchange } from '@blog/common/core/exchange.ts';
import { isForLocalhost, isSafe, WRONG_HOST } from '@blog/common/http/access.ts';
import { hasBody } from '@blog/common/http/input.ts';
import { SERVERS, type Server } from '@blog/common/run/parts.ts';
import release from '../package.json' with { type: 'json' };
import { sendJson, sendProblem } from './problem.ts';
import { proxy } from './proxy.ts';
import { findTarget, isInternal, parseTarget } from './routes.ts';

type Options = {
  /** The base URL of each part. */
  urls: Record<Server, string>;
  /** Allows the bus's control routes through the gateway. */
  control: boolean;
  /** Listens on loopback only, so requests must name this machine as their host. */
  loopback: boolean;
  /** Additional host names under which it may be reached: `ALLOWED_HOSTS`. */
  allowedHosts?: string[];
  /** Headers added to every answer. */
  headers?: Map<string, string>;
};

export type Middleware = (req: IncomingMessage, res: ServerResponse, next: () => void) => void;

/** The page's own addresses: answered with the page whatever the request's `Accept` says. */
const PAGE = /^\/(system|p\/[^/]+)?$/;
/** The gateway keeps no state and has no dependency to wait for: once it answers, it is ready. */
const READY = { status: 'ready', degraded: [] };
const OWN: Record<string, (mayControl: boolean) => object> = {
  '/healthz': () => ({ status: 'ok', version: release.version }),
  '/readyz': () => READY,
  '/api/system/parts/client': (control) => ({ ...READY, control }),
};
const STATE = '/api/system/state';
const READING = ['GET', 'HEAD'];

/**
 * The gateway: the single way in. Proxies the routes listed in routes.ts to the parts, answers its own, leaves the page
 * and its files to `next`, and refuses everything else.
 */
export function createGateway({ urls, control, loopback, allowedHosts, headers = new Map() }: Options): Middleware {
  return (req, res, next) => {
    res.setHeaders(headers);
    const { method = 'GET', url = '/' } = req;
    const asked = parseTarget(url);
    if (!asked) return sendProblem(res, 400, 'The request is malformed.');
    const { path, query } = asked;
    const hasOwnName = isForLocalhost(req, allowedHosts);
    if (loopback && !hasOwnName) return sendProblem(res, 403, WRONG_HOST);
    if (isInternal(path)) return notFound(res);
    if (!isSafe(req) && !isOwnOrigin(req)) {
      return sendProblem(res, 403, 'Requests from other origins cannot change anything here.');
    }

    const mayControl = control && hasOwnName;
    if (path === STATE) {
      if (!READING.includes(method)) return notAllowed(res, READING);
      return void sendState(res, urls, mayControl);
    }
    if (Object.hasOwn(OWN, path)) {
      return READING.includes(method) ? sendJson(res, OWN[path]?.(mayControl) ?? {}) : notAllowed(res, READING);
    }
    const target = findTarget(method, path, mayControl);
    if (target && 'part' in target) {
      if (target.control && !isJsonOrNothing(req)) return sendProblem(res, 415, 'The body must be application/json.');
      return proxy(req, res, new URL(target.path + query, urls[target.part]), target.part);
    }
    if (target) return notAllowed(res, target.allow);

    if (path.startsWith('/api/')) return notFound(res);
    if (READING.includes(method)) {
      req.url = path + query;
      return next();
    }
    if (PAGE.test(path)) return notAllowed(res, READING);
    notFound(res);
  };
}

/** Decides if a request without a route gets the page. A script that asks for a missing file must get 404 instead. */
export function wantsPage(req: IncomingMessage): boolean {
  const path = (req.url ?? '/').split('?')[0] ?? '/';
  return PAGE.test(path) || (req.headers.accept ?? '').includes('text/html');
}

/** The states of all parts, a line of JSON each (NDJSON). A part that answers no JSON gets a line that is none either. */
async function sendState(res: ServerResponse, urls: Options['urls'], control: boolean) {
  const asked = [...SERVERS.map((part) => [part, part, '/readyz'] as const), BUS_SUBSCRIPTIONS];
  const lines = asked.map(async ([name, part, path]) => {
    const answer = await exchange({ method: 'GET', url: urls[part] + path, deadline: 1_000 }).catch(() => undefined);
    return `{"name":"${name}","state":${answer ? (JSON.stringify(answer.body) ?? '') : null}}\n`;
  });
  const own = `${JSON.stringify({ name: 'client', state: { ...READY, control } })}\n`;
  const body = [own, ...(await Promise.all(lines))].join('');
  res.writeHead(200, { 'Content-Type': 'application/x-ndjson', 'Cache-Control': 'no-store' }).end(body);
}

const BUS_SUBSCRIPTIONS = ['subscriptions', 'event-bus', '/subscriptions'] as const;

export function notFound(res: ServerResponse) {
  sendProblem(res, 404, 'There is nothing at this address.');
}

function notAllowed(res: ServerResponse, allow: readonly string[]) {
  sendProblem(res, 405, `Only ${allow.join(', ')} can be used here.`, { Allow: allow.join(', ') });
}

/**
 * Only JSON, or no body, may control the bus. Any site can send a form's content types without a CORS preflight, so
 * CSRF protection does not rest on `Origin` alone.
 */
function isJsonOrNothing(req: IncomingMessage): boolean {
  const type = req.headers['content-type'];
  return type === undefined ? !hasBody(req) : /^application\/json\s*(;|$)/i.test(type);
}

/**
 * Browsers send the `Origin` of the page, curl sends none. The scheme is not compared, because TLS may end at a proxy
 * before us.
 */
function isOwnOrigin(req: IncomingMessage): boolean {
  const { origin, host } = req.headers;
  if (origin === undefined) return true;
  return URL.canParse(origin) && new URL(origin).host === host?.toLowerCase();
}
