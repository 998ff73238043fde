import type { IncomingMessage, ServerResponse } from 'node:http';
import { isForLocalhost, isSafe, WRONG_HOST } from '@blog/common/http/access.ts';
import { hasBody } from '@blog/common/http/input.ts';
import release from '../package.json' with { type: 'json' };
import { sendJson, sendProblem } from './problem.ts';
import { proxy } from './proxy.ts';
import { findTarget, isInternal, type Part, parseTarget } from './routes.ts';

type Options = {
  /** Where the parts are. */
  urls: Record<Part, string>;
  /** Whether the bus may be controlled through the gateway. */
  control: boolean;
  /** Whether it listens where only this machine reaches it. */
  loopback: boolean;
  /** More names that it is called by: `ALLOWED_HOSTS`. */
  allowedHosts?: string[];
  /** What every answer has besides. */
  headers?: Map<string, string>;
};

export type Middleware = (req: IncomingMessage, res: ServerResponse, next: () => void) => void;

/** The page's own addresses: they answer with the page whatever the client says it accepts. */
const PAGES = ['/', '/system'];
/** It keeps nothing and waits for nobody: where it answers, it is ready. */
const READY = { status: 'ready', degraded: [] };
const OWN: Record<string, (mayControl: boolean) => object> = {
  '/healthz': () => ({ status: 'ok', version: release.version }),
  '/readyz': () => READY,
  '/api/system/parts/client': (control) => ({ ...READY, control }),
};
const READING = ['GET', 'HEAD'];

/**
 * The single way in: passes what routes.ts names on to the parts, answers for itself, leaves to `next` what may be the
 * page or one of its files, and refuses the rest.
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
      return sendProblem(res, 403, 'Only its own page can change anything here.');
    }

    const mayControl = control && hasOwnName;
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
    if (PAGES.includes(path)) return notAllowed(res, READING);
    notFound(res);
  };
}

/** Whether a request that nothing else answers gets the page: a script that asks for what is not there must not. */
export function wantsPage(req: IncomingMessage): boolean {
  const path = (req.url ?? '/').split('?')[0] ?? '/';
  return PAGES.includes(path) || (req.headers.accept ?? '').includes('text/html');
}

export function notFound(res: ServerResponse) {
  sendProblem(res, 404, 'There is nothing at this address.');
}

function notAllowed(res: ServerResponse, allow: readonly string[]) {
  sendProblem(res, 405, `Only ${allow.join(', ')} can be used here.`, { Allow: allow.join(', ') });
}

/**
 * The types of a form are those that any page may send without asking first: what controls the bus takes none of them, so
 * that it does not hang on `Origin` alone.
 */
function isJsonOrNothing(req: IncomingMessage): boolean {
  const type = req.headers['content-type'];
  return type === undefined ? !hasBody(req) : /^application\/json\s*(;|$)/i.test(type);
}

/** A browser names the origin of the page that sends the request; curl names none. Its scheme may end before us. */
function isOwnOrigin(req: IncomingMessage): boolean {
  const { origin, host } = req.headers;
  if (origin === undefined) return true;
  return URL.canParse(origin) && new URL(origin).host === host?.toLowerCase();
}
