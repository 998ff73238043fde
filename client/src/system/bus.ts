// The bus's data as the page uses it, parsed from its answers.

import { fieldsOf, itemsOf, numberOf, oneOf, parseJson, textOf } from '../shared/parse.ts';

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
/** The copies of a bus whose log is on a quorum, and the nodes of the quorum. */
export type Quorum = NonNullable<ReturnType<typeof parseQuorum>>;
/** One delivery of an event: the subscriber, the time, and the number of attempts. */
export type Arrival = NonNullable<ReturnType<typeof parseArrival>>;
/** An event that a subscriber refused. */
export type DeadLetter = NonNullable<ReturnType<typeof parseLetter>>;

/** From the healthiest to the worst, but `gone`: a copy that is not found any more is expected to be so. */
const STATES = ['gone', 'live', 'starting', 'paused', 'retrying', 'diverged'] as const;
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
    /** The service that it is a copy of. Older and foreign buses do not name it. */
    service: textOf(fields.service) ?? name,
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

/** The subscriptions of each service: several if it has copies, in the order of their numbers. */
export const byService = (subscriptions: readonly Subscription[]): Map<string, Subscription[]> =>
  Map.groupBy(
    subscriptions.toSorted((a, b) => (a.service === b.service ? NUMERIC.compare(a.name, b.name) : 0)),
    ({ service }) => service,
  );
const NUMERIC = new Intl.Collator('en', { numeric: true });

/** The number of a service's copies that are there. */
export const countOf = (copies: readonly Subscription[]): number =>
  copies.filter(({ state }) => state !== 'gone').length;

/** The state of the copy in the worst one. */
export const worstState = (copies: readonly Subscription[]): Subscription['state'] =>
  STATES[Math.max(...copies.map(({ state }) => STATES.indexOf(state)))] ?? 'starting';

/** The copy with the largest lag, of those that are there. */
export function slowestOf(copies: readonly Subscription[]): Subscription | undefined {
  const there = copies.filter(({ state }) => state !== 'gone');
  return (there.length > 0 ? there : copies).toSorted((a, b) => b.lag - a.lag)[0];
}

export function parseQuorum(value: unknown) {
  const { leader, copies, nodes } = fieldsOf(value);
  const found = itemsOf(nodes, (node) => {
    const { name, leader, current, offline } = fieldsOf(node);
    const state = offline === true ? 'offline' : leader === true ? 'leads' : current === true ? 'current' : 'behind';
    return textOf(name) === undefined ? undefined : { name: String(name), state: state as typeof state };
  });
  if (found.length === 0 && fieldsOf(copies) !== copies) return undefined;
  return { leader: textOf(leader), copies: itemsOf(copies, textOf), nodes: found };
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
