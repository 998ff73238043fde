// The bus's data as the page uses it, parsed from its answers.

import { fieldsOf, numberOf, oneOf, parseJson, textOf } from '../shared/parse.ts';

/** A subscription's progress. `lag` is in events, `lagSeconds` the age of the oldest undelivered one. */
export type Subscription = {
  name: string;
  url: string;
  kind: 'unknown' | 'checkpointed' | 'plain';
  position: number;
  lag: number;
  lagSeconds: number;
  state: 'starting' | 'live' | 'retrying' | 'paused' | 'diverged';
  /** A replay that the subscriber has not taken yet. */
  replay: { id: string; from: number } | null;
  lastError: string | null;
  nextAttempt: string | null;
};

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

/** One delivery of an event: the subscriber, the time, and the number of attempts. */
export type Arrival = { subscription: string; deliveredAt: string; attempts: number };

/** An event that a subscriber refused. */
export type DeadLetter = {
  id: string;
  subscription: string;
  position: number;
  reason: string;
  parkedAt: string;
  event: RecordedEvent;
};

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

export function parseSubscription(value: unknown): Subscription | undefined {
  const { kind, position, lag, lagSeconds, state, replay, lastError, nextAttempt, ...rest } = fieldsOf(value);
  const name = textOf(rest.name);
  if (name === undefined) return undefined;
  const from = numberOf(fieldsOf(replay).from);
  return {
    name,
    url: textOf(rest.url) ?? '',
    kind: oneOf(kind, ['checkpointed', 'plain'] as const, 'unknown'),
    position: numberOf(position) ?? 0,
    lag: numberOf(lag) ?? 0,
    lagSeconds: numberOf(lagSeconds) ?? 0,
    state: oneOf(state, ['live', 'retrying', 'paused', 'diverged'] as const, 'starting'),
    replay: from === undefined ? null : { id: textOf(fieldsOf(replay).id) ?? '', from },
    lastError: textOf(lastError) ?? null,
    nextAttempt: textOf(nextAttempt) ?? null,
  };
}

export function parseArrival(value: unknown): Arrival | undefined {
  const { attempts, ...rest } = fieldsOf(value);
  const [subscription, deliveredAt] = [textOf(rest.subscription), textOf(rest.deliveredAt)];
  if (subscription === undefined || deliveredAt === undefined) return undefined;
  return { subscription, deliveredAt, attempts: numberOf(attempts) ?? 1 };
}

export function parseLetter(value: unknown): DeadLetter | undefined {
  const { subscription, position, reason, parkedAt, event, ...rest } = fieldsOf(value);
  const id = textOf(rest.id);
  if (id === undefined) return undefined;
  return {
    id,
    subscription: textOf(subscription) ?? 'unknown',
    position: numberOf(position) ?? 0,
    reason: textOf(reason) ?? '',
    parkedAt: textOf(parkedAt) ?? '',
    event: parseEvent(event),
  };
}

/** Parses an event from the log's stream. */
export const parseStreamed = (text: string): LogEntry | undefined => parseEntry(parseJson(text));
