// The spans of an event's way. All of them are below the span that the event carries, which is where it was made; an event
// without one, or of a trace that is not recorded, makes none.
import * as otel from '@opentelemetry/api';
import { parseTraceparent, traceIdOf } from '../core/events.ts';
import type { Circumstances, Observer, Seen } from '../core/observer.ts';

/** The maximum of other events that a span of several is linked with; each of them is linked with it. */
const LINKS = 128;

const contextOf = (traceparent: string): otel.SpanContext => ({
  traceId: traceparent.slice(3, 35),
  spanId: traceparent.slice(36, 52),
  traceFlags: Number.parseInt(traceparent.slice(53), 16),
  isRemote: true,
});

/** The traceparent of a span: events that follow from it are its children. */
export function traceparentOf(span: otel.Span): string {
  const { traceId, spanId, traceFlags } = span.spanContext();
  return `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`;
}

/** `parent` and `linked` are traceparents; without a parent a span begins a trace. */
type Options = Omit<otel.SpanOptions, 'links'> & { parent?: string; linked?: string[] };

export function startSpan(tracer: otel.Tracer, name: string, { parent, linked = [], ...options }: Options): otel.Span {
  const links = linked.map((traceparent) => ({ context: contextOf(traceparent) }));
  const root = otel.ROOT_CONTEXT;
  const context = parent ? otel.trace.setSpanContext(root, contextOf(parent)) : root;
  return tracer.startSpan(name, { ...options, links }, context);
}

export function endSpan(span: otel.Span, error?: string): void {
  if (error !== undefined) span.setStatus({ code: otel.SpanStatusCode.ERROR, message: error });
  span.end(performance.now());
}

type Named = Omit<Seen, 'record'>;

/** Reads from an event's text the names by which lines and spans know it. */
export function nameOf({ record, position, eventId, type, traceparent }: Seen): Named {
  if (record === undefined) return { position, eventId, type, traceparent };
  const event = JSON.parse(record);
  return { position, eventId: event.id, type: event.type, traceparent: parseTraceparent(event.traceparent) };
}

/** A look at the text, before it is parsed: an odd last flag says that the trace is recorded (W3C Trace Context §3.2.2.5). */
const mayBeRecorded = ({ record }: Seen) => record === undefined || /"traceparent":"[^"]*[13579bdf]"/.test(record);

type Recorded = Named & { traceparent: string };
const isRecorded = (event: Named): event is Recorded => /[13579bdf]$/.test(event.traceparent ?? '');
const recorded = (events: readonly Seen[]): Recorded[] => events.filter(mayBeRecorded).map(nameOf).filter(isRecorded);

const isOneTrace = (one: string, other: string) => traceIdOf(one) === traceIdOf(other);

/** A span between an exchange that brought an event and the event is a child of one of them, and linked with the other. */
function between(event: string, exchange: string | undefined) {
  if (exchange === undefined) return { parent: event };
  return isOneTrace(event, exchange) ? { parent: exchange, linked: [event] } : { parent: event, linked: [exchange] };
}

const OPERATIONS: Record<string, string> = { 'event-bus': 'send', stream: 'push' };

type Spans = Pick<Observer, 'sending' | 'applying'> & {
  logged(entries: readonly Seen[], { cause, began }: Circumstances): void;
};

export function createSpans(tracer: otel.Tracer): Spans {
  const { PRODUCER, CONSUMER } = otel.SpanKind;

  /** A span by OpenTelemetry's semantic conventions for messaging, and for CloudEvents. */
  const start = (operation: string, destination: string, event: Recorded, { attributes, ...options }: Options) =>
    startSpan(tracer, `${operation} ${destination}`, {
      ...options,
      attributes: {
        'messaging.system': 'blog',
        'messaging.operation.name': operation,
        'messaging.destination.name': destination,
        'messaging.message.id': event.eventId,
        'cloudevents.event_type': event.type,
        'blog.position': event.position,
        ...attributes,
      },
    });

  return {
    /** One span, in the trace of the first event and linked with the others; at its end one in each other trace. */
    sending(events, to, attempt) {
      const [first, ...others] = recorded(events);
      if (!first) return { end() {} };
      const operation = OPERATIONS[to] ?? 'deliver';
      const common = { kind: PRODUCER, startTime: performance.now(), attributes: { 'blog.attempt': attempt } };
      const linked = others.slice(0, LINKS).map((event) => event.traceparent);
      const span = start(operation, to, first, { ...common, parent: first.traceparent, linked });
      span.setAttribute('messaging.batch.message_count', events.length);
      const traceparent = traceparentOf(span);
      return {
        traceparent,
        end(error) {
          endSpan(span, error);
          for (const event of others) {
            if (isOneTrace(event.traceparent, first.traceparent)) continue;
            const options = { ...common, parent: event.traceparent, linked: [traceparent] };
            endSpan(start(operation, to, event, options), error);
          }
        },
      };
    },

    logged(entries, { cause, began: startTime }) {
      for (const event of recorded(entries)) {
        const options = { kind: CONSUMER, startTime, ...between(event.traceparent, cause) };
        endSpan(start('append', 'log', event, options));
      }
    },

    applying(events, cause) {
      const spans: otel.Span[] = [];
      const applied = events.map((event) => {
        if (!isRecorded(event)) return event;
        const options = { kind: CONSUMER, ...between(event.traceparent, cause) };
        const span = start('process', event.type ?? '', event, options);
        spans.push(span);
        return { ...event, traceparent: traceparentOf(span) };
      });
      return {
        events: applied,
        end(error) {
          for (const span of spans) endSpan(span, error);
        },
      };
    },
  };
}
