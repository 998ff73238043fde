// The bus's data as the page uses it, parsed from its answers.

import { fieldsOf, numberOf, oneOf, parseJson, textOf } from '../shared/parse.ts';

/** An event (CloudEvents 1.0). `time` is when it was made, `recordedtime` when it was appended to the log. */
export type RecordedEvent = {
  specversion?: '1.0';
  id: string;
  source: string;
  type: string;
  subject?: string;
  time: string;
  recordedtime?: string;
  traceparent?: string;
  data?: unknown;
};
/** An event of the log with its position. */
export type LogEntry = RecordedEvent & { position: number };
/** A subscription's progress. `lag` is in events, `lagSeconds` the age of the oldest undelivered one. */
export type Subscription = NonNullable<ReturnType<typeof parseSubscription>>;
/** One delivery of an event: the subscriber, the time, and the number of attempts. */
export type Arrival = NonNullable<ReturnType<typeof parseArrival>>;
/** An event that a subscriber refused. */
export type DeadLetter = NonNullable<ReturnType<typeof parseLetter>>;

const STATES = ['starting', 'live', 'retrying', 'paused', 'diverged'] as const;
const KINDS = ['unknown', 'checkpointed', 'plain'] as const;

/** Parses an event of the log. Undefined without a position, as from a classic bus. */
export function parseEntry(value: unknown): LogEntry | undefined {
  const position = numberOf(fieldsOf(value).position);
  return position === undefined ? undefined : { ...parseEvent(value), position };
}

function parseEvent(value: unknown): RecordedEvent {
  const event = fieldsOf(value);
  return {
    ...(event as RecordedEvent),
    id: textOf(event.id) ?? '',
    source: textOf(event.source) ?? 'unknown',
    type: textOf(event.type) ?? 'unknown',
    subject: textOf(event.subject),
    time: textOf(event.time) ?? '',
    recordedtime: textOf(event.recordedtime),
    traceparent: textOf(event.traceparent),
  };
}

export function parseSubscription(value: unknown) {
  const fields = fieldsOf(value);
  const name = textOf(fields.name);
  const { id, from } = fieldsOf(fields.replay);
  if (name === undefined) return undefined;
  return {
    name,
    kind: oneOf(fields.kind, KINDS, 'unknown'),
    position: numberOf(fields.position) ?? 0,
    lag: numberOf(fields.lag) ?? 0,
    lagSeconds: numberOf(fields.lagSeconds) ?? 0,
    state: oneOf(fields.state, STATES, 'starting'),
    /** A replay that the subscriber has not taken yet. */
    replay: numberOf(from) === undefined ? null : { id: textOf(id) ?? '', from: Number(from) },
    lastError: textOf(fields.lastError) ?? null,
    nextAttempt: textOf(fields.nextAttempt) ?? null,
  };
}

export function parseArrival(value: unknown) {
  const fields = fieldsOf(value);
  const [subscription, deliveredAt] = [textOf(fields.subscription), textOf(fields.deliveredAt)];
  if (subscription === undefined || deliveredAt === undefined) return undefined;
  return { subscription, deliveredAt, attempts: numberOf(fields.attempts) ?? 1 };
}

export function parseLetter(value: unknown) {
  const fields = fieldsOf(value);
  const id = textOf(fields.id);
  if (id === undefined) return undefined;
  return {
    id,
    subscription: textOf(fields.subscription) ?? 'unknown',
    position: numberOf(fields.position) ?? 0,
    reason: textOf(fields.reason) ?? '',
    parkedAt: textOf(fields.parkedAt) ?? '',
    event: parseEvent(fields.event),
  };
}

/** Parses an event from the log's stream. */
export const parseStreamed = (text: string): LogEntry | undefined => parseEntry(parseJson(text));
