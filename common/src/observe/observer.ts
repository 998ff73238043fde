// The observer of a process: counters, debug lines, spans and failpoints at the steps of the pipeline.
import type { Tracer } from '@opentelemetry/api';
import type { Observer, Step } from '../core/observer.ts';
import type { Log } from './log.ts';
import type { Metrics } from './metrics.ts';
import { createSpans, nameOf } from './spans.ts';
import { traceIdOf } from './traces.ts';

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
