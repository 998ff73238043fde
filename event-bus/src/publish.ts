import { randomUUID } from 'node:crypto';
import { EVENTS_LIMIT, jsonBody } from '@blog/common/body.ts';
import { type Checkpoint, checkpointText } from '@blog/common/checkpoint.ts';
import type { Tx } from '@blog/common/database.ts';
import { BATCH, type CloudEvent, EVENT, PLAIN } from '@blog/common/events.ts';
import { Problem, parse } from '@blog/common/problem.ts';
import type { Request, RequestHandler } from 'express';
import { z } from 'zod';
import { append, knows } from './log.ts';

const BATCH_EVENTS = 1_000;

const batchBody = jsonBody(512 * 1024, BATCH);
const eventBody = jsonBody(EVENTS_LIMIT, PLAIN, EVENT, BATCH);

/** Reads the body of `POST /events`: a batch has a limit of its own. */
export const publicationBody: RequestHandler = (req, res, next) =>
  (req.is(BATCH) ? batchBody : eventBody)(req, res, next);

const name = z
  .string({ error: 'must be a string' })
  .min(1, 'must not be empty')
  .max(1_000, 'must have at most 1000 characters')
  // SQLite would keep another text than this one, and take two ids for the same.
  .refine((text) => text.isWellFormed() && !text.includes('\0'), 'must not contain NUL or lone surrogates');

// CloudEvents 1.0 §2; attributes that it does not name are ignored.
const classicEvent = z.object(
  {
    specversion: z.literal('1.0', 'must be "1.0"').optional(),
    id: name.optional(),
    source: name.optional(),
    type: name,
    subject: name.optional(),
    time: z.iso.datetime({ offset: true, error: 'must be a time of RFC 3339' }).optional(),
    datacontenttype: z.string().optional(),
    traceparent: z.string().max(200).optional(),
    data: z.unknown().optional(),
  },
  'must be an object',
);
const cloudEvent = classicEvent.required({ specversion: true, id: true, source: true });
const batch = z.array(cloudEvent, 'must be an array of events').min(1, 'must have at least one event');

/** Fills in what an event in the classic form lacks, and when it came; what a CloudEvent has stays as it is. */
function complete(event: z.output<typeof classicEvent>, recordedtime: string): CloudEvent {
  const { id = randomUUID(), source = 'classic', type, time = recordedtime, data = null, ...rest } = event;
  const subject = rest.subject ?? subjectOf(data);
  return { specversion: '1.0', id, source, type, ...rest, subject, time, recordedtime, data };
}

function subjectOf(data: unknown): string | undefined {
  return name.safeParse((data as { id?: unknown } | null)?.id).data;
}

/**
 * The events of a `POST /events`, in any of its three forms.
 * @throws Problem 400 that names the field, 413 for more than 1,000 events
 */
export function parsePublication(req: Request): CloudEvent[] {
  const { body } = req;
  const now = new Date().toISOString();
  if (!req.is(BATCH)) return [complete(parse(req.is(EVENT) ? cloudEvent : classicEvent, body), now)];
  if (Array.isArray(body) && body.length > BATCH_EVENTS) {
    throw new Problem(413, `A batch may have at most ${BATCH_EVENTS} events.`);
  }
  return parse(batch, body).map((event) => complete(event, now));
}

const publishedHeader = z.object({ 'event-published': checkpointText.optional() });

/** The last checkpoint that this log has answered the publisher with, as the publisher says. */
export const parsePublished = (headers: unknown): Checkpoint | undefined =>
  parse(publishedHeader, headers)['event-published'];

/**
 * Writes what a publisher sent.
 * @throws Problem 412 if this log has lost events that it had acknowledged to this publisher: nothing is written
 */
export function publish(tx: Tx, events: CloudEvent[], published: Checkpoint | undefined) {
  if (published && !knows(tx, published)) {
    throw new Problem(412, `This log does not have ${published}: it has lost events that it had acknowledged.`);
  }
  return append(tx, events);
}
