// Publications: the events of a `POST /events`, in any of its three forms, checked and completed.
import { randomUUID } from 'node:crypto';
import { checkpointText } from '@blog/common/core/checkpoint.ts';
import {
  BATCH,
  type CloudEvent,
  EVENT,
  EVENT_TYPES,
  type EventType,
  eventTime,
  ID_RULE,
  isEntityId,
  PLAIN,
} from '@blog/common/core/events.ts';
import { fieldProblem, Problem, parse } from '@blog/common/core/problem.ts';
import { EVENTS_LIMIT, jsonBody } from '@blog/common/http/input.ts';
import type { Request, RequestHandler } from 'express';
import { z } from 'zod';
import { assertExact } from './exact-json.ts';

const BATCH_EVENTS = 1_000;

const batchBody = jsonBody(512 * 1024, BATCH);
const eventBody = jsonBody(EVENTS_LIMIT, PLAIN, EVENT, BATCH);

/** Reads the body of `POST /events`: a batch has a limit of its own. */
export const publicationBody: RequestHandler = (req, res, next) =>
  (req.is(BATCH) ? batchBody : eventBody)(req, res, next);

const text = z.string('must be a string');
const name = text
  .min(1, 'must not be empty')
  .max(1_000, 'must have at most 1000 characters')
  // SQLite would keep another text than this one, and take two ids for the same.
  .refine((text) => text.isWellFormed() && !text.includes('\0'), 'must not contain NUL or lone surrogates');

/** The attributes that CloudEvents 1.0 names (§2, §3; JSON format §3.1). */
const attributes = {
  specversion: z.literal('1.0', 'must be "1.0"').optional(),
  id: name.optional(),
  source: name.optional(),
  type: name,
  subject: name.optional(),
  time: eventTime.optional(),
  datacontenttype: text.optional(),
  dataschema: text.min(1, 'must not be empty').optional(),
  traceparent: text.max(200, 'must have at most 200 characters').optional(),
  data: z.unknown().optional(),
  data_base64: text.pipe(z.base64('must be base64')).optional(),
};
/** Members that the log adds, `position` and `recordedtime`: whatever a publisher says there is replaced. */
const NAMED = new Set([...Object.keys(attributes), 'position', 'recordedtime']);

const classicEvent = z.object(attributes, 'must be an object');
const cloudEvent = classicEvent.required({ specversion: true, id: true, source: true });
const batch = z.array(cloudEvent, 'must be an array of events').min(1, 'must have at least one event');

type Data = Partial<Record<string, unknown>> | null | undefined;
type Given = Partial<CloudEvent> & { type: string; position?: unknown };

// The rules that reach across members are no schema: it would cost twice as much.

/** Refuses data in two forms, and ids of which no id of an event can be made: other events follow from the blog's types. */
function assertData({ type, data, data_base64 }: Given, path: string): void {
  if (data !== undefined && data_base64 !== undefined)
    throw fieldProblem(400, `${path}data_base64`, 'must not be there together with data');
  if (!EVENT_TYPES.includes(type as EventType)) return;
  for (const field of ['id', 'postId']) {
    const value = (data as Data)?.[field];
    if (typeof value === 'string' && !isEntityId(value)) throw fieldProblem(400, `${path}data.${field}`, ID_RULE);
  }
}

/** Refuses members that are no extension attributes (CloudEvents 1.0 §3.1, JSON format §2.2). */
function assertExtensions(event: Given, path: string): void {
  for (const [name, value] of Object.entries(event)) {
    if (NAMED.has(name)) continue;
    if (!/^[a-z0-9]+$/.test(name))
      throw fieldProblem(400, path + name, 'must be named with lower-case letters and digits');
    if (!['string', 'boolean'].includes(typeof value) && value !== ((value as number) | 0))
      throw fieldProblem(400, path + name, 'must be a string, a boolean or a 32-bit integer');
  }
}

/** An attribute that is null is absent (JSON format §2.2); data that is null is data. */
function withoutNulls(event: unknown): unknown {
  if (typeof event !== 'object' || event === null || Array.isArray(event)) return event;
  if (!Object.values(event).includes(null)) return event;
  return Object.fromEntries(Object.entries(event).filter(([name, value]) => value !== null || name === 'data'));
}

/** Fills in what an event in the classic form lacks, and when it came. Whatever else it has stays as it is. */
function complete(event: Given, recordedtime: string): CloudEvent {
  const { id = randomUUID(), source = 'classic', type, time = recordedtime, data, position: _, ...rest } = event;
  const about = (data as Data)?.id;
  // Classic services may number what they have.
  const subject = rest.subject ?? name.safeParse(typeof about === 'number' ? String(about) : about).data;
  return { specversion: '1.0', id, source, type, ...rest, subject, time, recordedtime, data };
}

/**
 * The events of a `POST /events`, in any of its three forms.
 * @throws Problem 400 that names the field, 413 for more than 1,000 events
 */
export function parsePublication(req: Request): CloudEvent[] {
  const { body } = req;
  assertExact(String(req.res?.locals.bytes), body);
  const list = req.is(BATCH) && Array.isArray(body) ? body : undefined;
  if (list && list.length > BATCH_EVENTS) throw new Problem(413, `A batch may have at most ${BATCH_EVENTS} events.`);
  const given = list?.map(withoutNulls) ?? withoutNulls(body);
  const isClassic = !req.is(BATCH) && !req.is(EVENT);
  // Parsed only to be checked: members that no schema names are kept, too.
  parse(isClassic ? classicEvent : req.is(BATCH) ? batch : cloudEvent, given);
  const now = new Date().toISOString();
  return ([given].flat() as Given[]).map((event, i) => {
    const path = list ? `${i}.` : '';
    assertData(event, path);
    if (!isClassic) assertExtensions(event, path);
    return complete(event, now);
  });
}

/** The headers of a publisher: the last checkpoint that its events were acknowledged with, and the name of its copy. */
export const publicationHeaders = z.object({
  'event-published': checkpointText.optional(),
  'event-publisher': z.string().max(100, 'must have at most 100 characters').optional(),
});
