import { SpanKind, type Tracer } from '@opentelemetry/api';
import type { Request, Response } from 'express';
import { parseTraceparent } from '../core/events.ts';
import { type Log, logRequest } from './log.ts';
import { type Metrics, routeOf } from './metrics.ts';
import { endSpan, startSpan, traceparentOf } from './spans.ts';
import { traceIdOf } from './traces.ts';

/**
 * Observes each request until its answer has left, or broke off: counts it, logs it at level `debug`, and makes a span of one
 * that belongs to a trace or changes something. Returns the traceparent that its effects are children of.
 */
export function watchRequests({ log, metrics, tracer }: { log: Log; metrics: Metrics; tracer?: Tracer }) {
  return (req: Request, res: Response): string | undefined => {
    const began = performance.now();
    const { method, url } = req;
    const parent = parseTraceparent(req.headers.traceparent);
    // The events that `POST /events` brings have spans of their own.
    const isTraced = url !== '/events' && (parent !== undefined || !['GET', 'HEAD', 'OPTIONS'].includes(method));
    const span = isTraced && tracer ? startSpan(tracer, method, { kind: SpanKind.SERVER, parent }) : undefined;
    const traceparent = span ? traceparentOf(span) : parent;
    res.on('close', () => {
      const ms = performance.now() - began;
      const { statusCode: status } = res;
      metrics.request(req, res, ms / 1_000);
      logRequest(log, method, url, status, ms, traceIdOf(traceparent));
      if (!span) return;
      const route = routeOf(req);
      span.updateName(`${method} ${route}`);
      span.setAttributes({ 'http.request.method': method, 'http.route': route, 'http.response.status_code': status });
      endSpan(span, status >= 500 ? `answered ${status}` : undefined);
    });
    return traceparent;
  };
}
