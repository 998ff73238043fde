// The spans of an event's way. All of them hang below the place that the event carries, which is where it was made; an
// event without one, or of a trace that is not recorded, makes none.
import type { KnownEvent } from '../core/events.ts';
import { type Answer, exchange, reason } from '../core/exchange.ts';
import { type Attributes, parseTraceparent, type Span, traceIdOf, tracing } from './traces.ts';

/** How many other events a span of several is linked with at the most; each of them is linked with it. */
const LINKS = 128;

/** An event, as far as lines and spans name it. */
type Named = { eventId?: string; type: string; traceparent?: string };

/** What a line about an event has. */
export const fieldsOf = (text: string) => {
  const { eventId, type, traceparent } = nameOf(text);
  return { eventId, type, traceId: traceIdOf(traceparent) };
};

/** Reads from an event's text what lines and spans name it by. */
function nameOf(text: string): Named {
  const { id, type, traceparent } = JSON.parse(text);
  return { eventId: id, type, traceparent: parseTraceparent(traceparent) };
}

/** The last of the flags says whether the trace is recorded (W3C Trace Context §3.2.2.5). */
const isRecorded = (traceparent: string | undefined): traceparent is string =>
  traceparent !== undefined && '13579bdf'.includes(traceparent.slice(-1));

const isOneTrace = (one: string | undefined, other: string | undefined) => traceIdOf(one) === traceIdOf(other);

/** A span between an exchange that brought an event and the event hangs below one of them, and is linked with the other. */
const between = (event: string, exchange: string | undefined) =>
  isOneTrace(event, exchange) ? { parent: exchange, links: [event] } : { parent: event, links: [exchange] };

/** OpenTelemetry's semantic conventions for messaging, and for CloudEvents. */
export const attributesOf = (operation: string, destination: string, { eventId, type }: Named): Attributes => ({
  'messaging.system': 'blog',
  'messaging.operation.name': operation,
  'messaging.destination.name': destination,
  'messaging.message.id': eventId,
  'cloudevents.event_type': type,
});

/**
 * An exchange that takes events somewhere. It is one span, in the trace of the first event and linked with the others; at
 * its end each event of another trace gets one there too, linked with it.
 */
export async function exchangeEvents(
  request: Parameters<typeof exchange>[0],
  operation: string,
  destination: string,
  texts: () => string[],
  more?: Attributes,
): Promise<Answer> {
  const span = startExchange(operation, destination, texts, more);
  if (!span) return exchange(request);
  try {
    const answer = await exchange({ ...request, headers: { ...request.headers, traceparent: span.traceparent } });
    span.end(answer.status < 300 ? undefined : `answered ${answer.status}`);
    return answer;
  } catch (error) {
    span.end(reason(error));
    throw error;
  }
}

function startExchange(operation: string, destination: string, texts: () => string[], more?: Attributes) {
  const { start } = tracing;
  if (!start) return undefined;
  const events = texts();
  const recorded = events.filter(mayBeRecorded).map(nameOf);
  const [first, ...others] = recorded.filter(({ traceparent }) => isRecorded(traceparent));
  if (!first) return undefined;
  const name = `${operation} ${destination}`;
  const kind = 'producer';
  const began = performance.now();
  const attributes = (event: Named) => ({ ...attributesOf(operation, destination, event), ...more });
  const { traceparent, end } = start(name, {
    ...{ kind, parent: first.traceparent, began },
    links: others.slice(0, LINKS).map(({ traceparent }) => traceparent),
    attributes: { ...attributes(first), 'messaging.batch.message_count': events.length },
  });
  return {
    traceparent,
    end(error: string | undefined) {
      end({ error });
      for (const event of others) {
        if (isOneTrace(event.traceparent, first.traceparent)) continue;
        const options = { kind, parent: event.traceparent, began, attributes: attributes(event) } as const;
        start(name, { ...options, links: [traceparent] }).end({ error });
      }
    },
  };
}

const mayBeRecorded = (text: string) => /"traceparent":"[^"]*[13579bdf]"/.test(text);

/** Events that were written to the log, in one go. `exchange` is the place that they came from. */
export function spansOfAppended(
  entries: { position: number; record: string }[],
  exchange: string | undefined,
  began: number,
) {
  const { start } = tracing;
  if (!start) return;
  for (const { position, record } of entries) {
    if (!mayBeRecorded(record)) continue;
    const event = nameOf(record);
    if (!isRecorded(event.traceparent)) continue;
    const attributes = { ...attributesOf('append', 'log', event), 'blog.position': position };
    start('append log', { kind: 'consumer', ...between(event.traceparent, exchange), attributes, began }).end();
  }
}

/** Ends the spans of events that were processed, or says why they could not be. */
export type Processing = (error?: string) => void;

/** Begins to process events: from here on what follows from each of them hangs below its span. */
export function startProcessing(events: KnownEvent[], exchange: string | undefined): Processing {
  const { start } = tracing;
  if (!start) return NOTHING;
  const spans: Span[] = [];
  for (const event of events) {
    if (!isRecorded(event.traceparent)) continue;
    const attributes = { ...attributesOf('process', event.type, event), 'blog.position': event.position };
    const options = { kind: 'consumer', ...between(event.traceparent, exchange), attributes } as const;
    const span = start(`process ${event.type}`, options);
    event.traceparent = span.traceparent;
    spans.push(span);
  }
  return (error) => {
    for (const span of spans) span.end({ error });
  };
}
const NOTHING = () => {};
