import type { Request, RequestHandler } from 'express';
import { isSafe } from '../http/access.ts';
import { type Log, requestLines } from './log.ts';
import { routeOf } from './metrics.ts';
import { traceparentOf, tracing } from './traces.ts';

/**
 * Follows each request until its answer has left, or broke off: a line at level `debug`, and a span if it belongs to a trace
 * or changes something. What the request makes then hangs below that span.
 */
export function followRequests(log: Log): RequestHandler | undefined {
  const tell = requestLines(log);
  if (!tell && !tracing.start) return undefined;
  return (req, res, next) => {
    const span = startSpan(req);
    tell?.(req, res);
    if (!span) return next();
    res.on('close', () => {
      const { statusCode: status } = res;
      const route = routeOf(req);
      span.end({
        name: `${req.method} ${route}`,
        attributes: { 'http.route': route, 'http.response.status_code': status },
        error: status >= 500 ? `answered ${status}` : undefined,
      });
    });
    next();
  };
}

/** From here on the place that the request comes from is its span. The events that it brings have spans of their own. */
function startSpan(req: Request) {
  const { method, path } = req;
  const parent = traceparentOf(req);
  if (!tracing.start || path === '/events' || (isSafe(req) && !parent)) return undefined;
  const span = tracing.start(method, { kind: 'server', parent, attributes: { 'http.request.method': method } });
  req.headers.traceparent = span.traceparent;
  return span;
}
