// The observers of a process: of the steps of the pipeline (counters, debug lines, spans, failpoints), and of its requests.
import { SpanKind, type Tracer } from '@opentelemetry/api';
import type { Request, Response } from 'express';
import { parseTraceparent, traceIdOf } from '../core/events.ts';
import type { Observer, Step } from '../core/observer.ts';
import { type Log, logRequest } from './log.ts';
import { type Metrics, routeOf } from './metrics.ts';
import { createSpans, endSpan, nameOf, startSpan, traceparentOf } from './spans.ts';

/** The steps that are worth a line at level `debug`. */
const LINES: Partial<Record<Step, string>> = {
  sent: 'event published',
  logged: 'event appended',
  applied: 'event applied',
  answered: 'event delivered',
};

/** The steps at which a test crashes a process (SIGKILL): between two things that belong together. */
const FAILPOINTS: Partial<Record<Step, string>> = {
  written: 'written-not-answered',
  read: 'read-not-sent',
  logged: 'logged-not-answered',
  sent: 'sent-not-forgotten',
  applied: 'applied-not-answered',
  answered: 'answered-not-advanced',
};
export const failpoints = Object.values(FAILPOINTS);

type Options = { log: Log; metrics: Metrics; tracer?: Tracer; failpoint?: string };

export function createObserver({ log, metrics, tracer, failpoint }: Options): Observer {
  const spans = tracer && createSpans(tracer);
  const isDebug = log.isLevelEnabled('debug');
  return {
    log,
    step(step, events, circumstances = {}) {
      const { subscription, attempt, reason } = circumstances;
      const line = LINES[step];
      metrics.step(step, events, circumstances);
      if (step === 'logged') spans?.logged(events, circumstances);
      for (const event of step === 'parked' || (line && isDebug) ? events : []) {
        const { traceparent, ...named } = nameOf(event);
        const fields = { subscription, position: named.position, attempt, ...named, traceId: traceIdOf(traceparent) };
        if (line) log.debug(fields, line);
        else log.error({ ...fields, reason }, 'event parked');
      }
      if (failpoint && failpoint === FAILPOINTS[step]) process.kill(process.pid, 'SIGKILL');
    },
    sending: spans?.sending ?? (() => ({ end() {} })),
    applying: spans?.applying ?? ((events) => ({ events, end() {} })),
  };
}

/**
 * Observes each request until its answer has left, or broke off: counts it, logs it at level `debug`, and makes a span of one
 * that belongs to a trace or changes something. Returns the traceparent that its effects are children of.
 */
export function watchRequests({ log, metrics, tracer }: Options) {
  return (req: Request, res: Response): string | undefined => {
    const began = performance.now();
    const { method, url } = req;
    const parent = parseTraceparent(req.headers.traceparent);
    // The events that `POST /events` brings have spans of their own.
    const isTraced =
      !/^\/events(\?|$)/.test(url) && (parent !== undefined || !['GET', 'HEAD', 'OPTIONS'].includes(method));
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
