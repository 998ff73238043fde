// The routes of the log: publish, read, follow, verify.
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Checkpoint, checkpointText, positionOf } from '@blog/common/core/checkpoint.ts';
import type { Database } from '@blog/common/core/database.ts';
import { Problem, parse } from '@blog/common/core/problem.ts';
import type { Tx } from '@blog/common/core/sqlite.ts';
import { onlyWithToken } from '@blog/common/http/access.ts';
import { wholeNumber } from '@blog/common/http/input.ts';
import { message, reset, type Step, type Streams } from '@blog/common/http/streams.ts';
import { Router } from 'express';
import { z } from 'zod';
import type { Integrity } from './integrity.ts';
import { append, type Entry, entryJson, firstEntries, head, knows, newest, PAGE, readBehind } from './log.ts';
import { parsePublication, publicationBody, publicationHeaders } from './publication.ts';
import type { Shared } from './pusher.ts';
import type { Subscriptions } from './subscriptions.ts';

const text = z.string({ error: 'must be given once' }).min(1, 'must not be empty').optional();
const eventsQuery = z
  .object({
    after: wholeNumber().optional(),
    before: wholeNumber(1).optional(),
    limit: wholeNumber(1).default(Number.MAX_SAFE_INTEGER),
    type: text,
    subject: text,
  })
  .refine(({ after, before }) => after === undefined || before === undefined, {
    path: ['before'],
    message: 'cannot be given together with after',
  });
const positionPath = z.object({ position: wholeNumber(1) });
const streamQuery = z.object({ after: text });

/** A reader of the stream that missed more events than this reads the list again. */
const MISSED = 10_000;

/** The maximum of positions that are searched in one go: others wait meanwhile. */
const SEARCH = 5_000;

type Filter = { after?: number; before?: number; type?: string; subject?: string };
type Options = Shared & { subscriptions: Subscriptions; streams: Streams; integrity: Integrity };

export function logRoutes({ db, observer, token, tail, subscriptions, arrivals, streams, integrity }: Options): Router {
  const routes = Router().use(onlyWithToken(token));

  routes.post('/events', publicationBody, async (req, res) => {
    const events = parsePublication(req);
    const { 'event-published': published, 'event-publisher': publisher = events[0]?.source ?? '' } = parse(
      publicationHeaders,
      req.headers,
    );
    const circumstances = { cause: res.locals.traceparent, began: performance.now() };
    await integrity.assertSound();
    const appended = await db.write((tx) => (published && !knows(tx, published) ? undefined : append(tx, events)));

    const claim = appended ? undefined : `it was told ${published}`;
    if (published) subscriptions.ofPublisher(publisher)?.diverge('publisher', claim);
    if (!appended)
      throw new Problem(412, `This log does not have ${published}: it has lost events that it had acknowledged.`);
    const { entries, positions, checkpoint } = appended;
    tail.grow(entries);
    observer.step('logged', entries, circumstances);
    const places = Array.isArray(req.body) ? { positions } : { id: events[0]?.id, position: positions[0] };
    res.status(201).json({ status: 'OK', ...places, checkpoint });
  });

  // All of the log, however long: page by page, and only as fast as it is read (backpressure).
  routes.get('/events', async (req, res) => {
    const { limit, ...asked } = parse(eventsQuery, req.query);
    const { 'event-publisher': starting } = parse(publicationHeaders, req.headers);
    if (starting) subscriptions.started(starting);
    const pieces = Readable.from(jsonArray(db, asked, req.method === 'HEAD' ? 0 : limit, () => res.destroyed));
    // An error of the first page gets an answer. Later the answer can only break off.
    await once(pieces, 'readable');
    res.set('event-head', await db.read(head)).type('application/json');
    await pipeline(pieces, res).catch((error) => {
      // A reader that goes away in the middle is no failure.
      if (error.code !== 'ERR_STREAM_PREMATURE_CLOSE') throw error;
    });
  });

  routes.get('/log/verify', async (_req, res) => {
    res.json(await integrity.verify());
  });

  routes.get('/events/:position/deliveries', (req, res) => {
    res.json(arrivals.of(parse(positionPath, req.params).position));
  });

  routes.get('/stream', async (req, res) => {
    const { after } = parse(streamQuery, req.query);
    const first = await db.read((tx) => begin(tx, req.get('Last-Event-ID') ?? after));
    await streams.follow(res, first, readStep);
  });

  return routes;
}

/** The log as one JSON array, a piece per page, until its reader has left. */
async function* jsonArray(db: Database, filter: Filter, limit: number, hasLeft: () => boolean) {
  const direction = filter.before === undefined ? 'after' : 'before';
  let next = filter[direction] ?? 0;
  let opening = '[';
  // Neither reading nor a socket that takes all at once ends the turn of the event loop: others are served in between.
  for (let rest = limit; rest > 0 && !hasLeft(); await nextTurn()) {
    const page = await db.read((tx) => readPage(tx, { ...filter, [direction]: next }, rest));
    if (page.entries.length > 0) {
      yield opening + page.entries.map(entryJson).join(',\n');
      opening = ',\n';
    }
    if (page.next === undefined) break;
    next = page.next;
    rest -= page.entries.length;
  }
  yield opening === '[' ? '[]\n' : ']\n';
}

/** The begin of a stream: behind the checkpoint that the reader names, or now; with a reset if it has to read the list again. */
function begin(tx: Tx, after: Checkpoint | undefined): Step {
  const now = head(tx);
  const end = positionOf(now);
  if (after === undefined) return { text: '', upto: end };
  const isKnown = checkpointText.safeParse(after).success && knows(tx, after) && end - positionOf(after) <= MISSED;
  return isKnown ? { text: '', upto: positionOf(after) } : { text: reset(now), upto: end };
}

/** The messages of the stream behind a position. */
function readStep(tx: Tx, after: number): Step {
  const entries = readBehind(tx, after, PAGE);
  const messages = entries.map((entry) => message(entryJson(entry), `${entry.position}-${entry.checksum}`));
  return { text: messages.join(''), upto: entries.at(-1)?.position ?? after };
}

/**
 * Entries that match, in the order of the log, or newest first with `before`; and the position that the next page goes
 * on from, undefined at the end.
 */
function readPage(tx: Tx, filter: Filter, limit: number): { entries: Entry[]; next?: number } {
  const { after = 0, before, type, subject } = filter;
  const most = Math.min(limit, PAGE);
  if (before === undefined && !type && !subject) {
    const entries = readBehind(tx, after, most);
    return { entries, next: entries.at(-1)?.position };
  }
  const end = newest(tx).position;
  // No index leads to a type, also not among the events of a subject.
  const reach = type ? SEARCH : Number.MAX_SAFE_INTEGER;
  const low = before === undefined ? after : Math.max(0, Math.min(before - 1, end) - reach);
  const high = before === undefined ? Math.min(end, after + reach) : before - 1;
  const { rows: entries, more } = firstEntries(
    tx,
    most,
    `SELECT position, type, record, checksum FROM events WHERE position > ? AND position <= ?
     ${subject ? 'AND subject = ?' : ''} ${type ? 'AND type = ?' : ''} ORDER BY position ${before === undefined ? 'ASC' : 'DESC'}`,
    ...[low, high, subject, type].filter((value) => value !== undefined),
  );
  if (more || entries.length === most) return { entries, next: entries.at(-1)?.position };
  if (before === undefined) return { entries, next: high < end ? high : undefined };
  return { entries, next: low > 0 ? low + 1 : undefined };
}
