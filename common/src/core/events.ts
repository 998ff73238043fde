// The events: their form (CloudEvents 1.0), the types of this blog, and how one is made and parsed.
import { z } from 'zod';
import { Problem } from './problem.ts';
import type { Tx } from './sqlite.ts';

/** The media types of events: one, classic or not; one CloudEvent; several (CloudEvents 1.0, JSON format §3 and §4). */
export const PLAIN = 'application/json';
export const EVENT = 'application/cloudevents+json';
export const BATCH = 'application/cloudevents-batch+json';

/** An event as published: CloudEvents 1.0 in JSON, a superset of the classic `{type, data}`. */
export type CloudEvent = {
  specversion: '1.0';
  id: string;
  source: string;
  type: string;
  subject?: string;
  time: string;
  /** The time at which the bus took it in, set only by the bus (CloudEvents extension Recorded Time). */
  recordedtime?: string;
  /** The span that made it (CloudEvents extension Distributed Tracing). */
  traceparent?: string;
  /** Either of them, or none. */
  data?: unknown;
  data_base64?: string;
};

/** SQLite would keep the same text for any lone surrogate; and the ids of our events, made of these, may have no NUL. */
export const isEntityId = (id: string): boolean =>
  id.length >= 1 && (id.length <= 200 || [...id].length <= 200) && id.isWellFormed() && !id.includes('\0');
export const ID_RULE = 'must have 1 to 200 characters, without NUL or lone surrogates';
export const entityId = z.string().refine(isEntityId, ID_RULE);

/** The time at which an event was made (CloudEvents 1.0 §3.1.2). */
export const eventTime = z.iso.datetime({ offset: true, error: 'must be a time of RFC 3339' });

// Handlers need only the ids: any other field may be missing, and one that makes no sense counts as missing. A classic service
// may number its rows, and JavaScript hardly tells a number from its text: here it is text.
const numbered = z.number().transform(String);
const idInData = z.union([entityId, numbered]);
const text = z.string().optional().catch(undefined);
const shown = z.union([z.string(), numbered]).optional().catch(undefined);
const verdict = z.enum(['approved', 'rejected']).optional().catch(undefined);
export type Verdict = 'approved' | 'rejected';
export type Status = 'pending' | Verdict;

/** The author of a post or a comment: the id that stays, and a name to show. Without sign-in there is none. */
export type Author = { id: string; name: string };
const author = z.object({ id: idInData, name: z.string() }).optional().catch(undefined);

/** The data of each type. */
const data = {
  PostCreated: z.object({ id: idInData, title: shown, createdAt: text, author }),
  CommentCreated: z.object({ id: idInData, postId: idInData, content: shown, createdAt: text, author }),
  CommentModerated: z.object({ id: idInData, postId: idInData, content: shown, status: verdict }),
  CommentUpdated: z.object({ id: idInData, postId: idInData, content: shown, status: verdict }),
};
export type EventType = keyof typeof data;
export const EVENT_TYPES = Object.keys(data) as EventType[];

/** An event of a known type, parsed. `traceparent` is the span that the events following from it are children of. */
export type KnownEvent = {
  [T in EventType]: {
    type: T;
    eventId?: string;
    position?: number;
    data: z.output<(typeof data)[T]>;
    /** The data as it came. */
    given: Partial<Record<string, unknown>>;
    time?: string;
    traceparent?: string;
    /** The whole event; undefined for a classic one without an id. */
    published?: object;
  };
}[EventType];

/** The effects of the events that a service handles, by type. Each may run again, in any order, without a second effect. */
export type Handlers<Result = void> = {
  [T in EventType]?: (tx: Tx, event: Extract<KnownEvent, { type: T }>) => Result;
};

/** Applies an event by the handler of its type. */
export const apply = <Result>(handlers: Handlers<Result>, tx: Tx, event: KnownEvent): Result | undefined =>
  handlers[event.type]?.(tx, event as never);

const envelope = z.looseObject({ type: z.string(), id: text, source: text, time: text, data: z.unknown().optional() });

/**
 * Parses an event that a bus pushed.
 * @returns undefined for a type that is not among those handled
 * @throws Problem 422 for a poison event: one to be handled, without its ids
 */
export function parseEvent(input: unknown, handled: readonly EventType[]): KnownEvent | undefined {
  const event = envelope.safeParse(input);
  if (!event.success) throw new Problem(422, 'An event must be an object with a type.');
  const { type, time, id, source } = event.data;
  const known = handled.find((name) => name === type);
  if (!known) return undefined;
  const parsed = data[known].safeParse(event.data.data);
  if (!parsed.success) throw new Problem(422, `The ${type} event ${id ?? ''} lacks its ids.`);
  const published = id && source ? input : undefined;
  const traceparent = parseTraceparent(event.data.traceparent);
  return { type, eventId: id, data: parsed.data, given: event.data.data, time, traceparent, published } as KnownEvent;
}

/**
 * Makes an event. Its id is derived, never random: each type happens once per subject, so an event that is published again
 * is recognised. `traceparent` is that of its cause.
 */
export function createEvent<Data extends { id: string | number; createdAt?: string }>(
  source: string,
  type: EventType,
  data: Data,
  traceparent?: string,
): CloudEvent {
  // The `createdAt` of others may be any text.
  const time = eventTime.safeParse(data.createdAt).data ?? new Date().toISOString();
  const subject = String(data.id);
  return { specversion: '1.0', id: `${subject}/${type}`, source, type, subject, time, traceparent, data };
}

/** True for the event by which this source announced a thing: a log has one, and for the owner its word stands. */
export const isOwn = (source: string, { published, eventId, type, data }: KnownEvent): boolean =>
  (published as { source?: unknown } | undefined)?.source === source && eventId === `${data.id}/${type}`;

/** The text of an event as its owner keeps it: as published, or made anew if it is a classic one. */
export const recordOf = (source: string, event: KnownEvent, data = event.data): string =>
  JSON.stringify(event.published ?? createEvent(source, event.type, data, event.traceparent));

/** Version, trace id, parent id, flags, and what a later version may have behind them (W3C Trace Context §3.2.2). */
const TRACEPARENT = /^(?!ff)([0-9a-f]{2})-((?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2})(-.*)?$/;

/** The span that a text names, in the form of version 00; undefined if it names none, and then it is ignored. */
export function parseTraceparent(text: unknown): string | undefined {
  const [, version, span, more] = (typeof text === 'string' && TRACEPARENT.exec(text)) || [];
  return span && !(version === '00' && more !== undefined) ? `00-${span}` : undefined;
}

/** The trace that a span is in. */
export const traceIdOf = (traceparent: string | undefined): string | undefined => traceparent?.slice(3, 35);
