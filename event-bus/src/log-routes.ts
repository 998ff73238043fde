import { pipeline } from 'node:stream/promises';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Checkpoint, checkpointText, positionOf } from '@blog/common/core/checkpoint.ts';
import type { Database, Tx } from '@blog/common/core/database.ts';
import { wholeNumber } from '@blog/common/http/input.ts';
import { onlyMethods, Problem, parse } from '@blog/common/http/problem.ts';
import { message, reset, Shared, type Step, type Streams } from '@blog/common/http/streams.ts';
import { failpoint } from '@blog/common/observe/failpoints.ts';
import type { Log } from '@blog/common/observe/log.ts';
import { countTypes } from '@blog/common/observe/metrics.ts';
import { fieldsOf, spansOfAppended } from '@blog/common/observe/spans.ts';
import { traceparentOf } from '@blog/common/observe/traces.ts';
import { Router } from 'express';
import { z } from 'zod';
import type { Deliveries } from './deliveries.ts';
import type { Delivery } from './delivery.ts';
import type { Integrity } from './integrity.ts';
import { entryJson, type Filter, head, knows, readPage } from './log.ts';
import type { Counts } from './metrics.ts';
import { parsePublication, parsePublished, publicationBody, publish } from './publish.ts';
import type { Tail } from './tail.ts';

const text = z.string({ error: 'must be given once' }).min(1, 'must not be empty').optional();
const eventsQuery = z
  .object({
    after: wholeNumber().optional(),
    before: wholeNumber(1).optional(),
    limit: wholeNumber(1).optional(),
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

type Options = {
  db: Database;
  log: Log;
  tail: Tail;
  loops: Delivery[];
  deliveries: Deliveries;
  streams: Streams;
  integrity: Integrity;
  counts: Counts;
};

/** Publishing and reading. */
export function logRoutes({ db, log, tail, loops, deliveries, streams, integrity, counts }: Options): Router {
  const routes = Router();
  const steps = new Shared<Step>(db);

  routes.post('/events', publicationBody, async (req, res) => {
    const events = parsePublication(req);
    const began = performance.now();
    const published = parsePublished(req.headers);
    const publisher = loops.find(({ name }) => events.some(({ source }) => source === name));
    await integrity.assertSound();
    try {
      const { positions, checkpoint, entries } = await db.write((tx) => publish(tx, events, published));
      spansOfAppended(entries, traceparentOf(req), began);
      if (log.isLevelEnabled('debug')) {
        for (const { position, record } of entries) log.debug({ position, ...fieldsOf(record) }, 'event appended');
      }
      tail.grow(entries);
      countTypes(counts.published, entries);
      failpoint('logged-not-answered');
      if (published) publisher?.publisherDiverged(undefined);
      const places = Array.isArray(req.body) ? { positions } : { id: events[0]?.id, position: positions[0] };
      res.status(201).json({ status: 'OK', ...places, checkpoint });
    } catch (error) {
      if (error instanceof Problem && error.status === 412) publisher?.publisherDiverged(published);
      throw error;
    }
  });

  // All of the log, however long: page by page, and only as fast as it is read.
  routes.get('/events', async (req, res) => {
    const { limit = Number.MAX_SAFE_INTEGER, ...asked } = parse(eventsQuery, req.query);
    const pieces = jsonArray(db, asked, limit, () => res.destroyed || req.method === 'HEAD');
    // What cannot be read at once gets an honest answer. Later it can only break off.
    const first = await pieces.next();
    res.set('event-head', await db.read(head)).type('application/json');
    const all = async function* () {
      yield first.value;
      yield* pieces;
    };
    await pipeline(all, res).catch((error) => {
      // A reader that goes away in the middle is no failure.
      if (error.code !== 'ERR_STREAM_PREMATURE_CLOSE') throw error;
    });
  });

  routes.get('/log/verify', async (_req, res) => {
    res.json(await integrity.verify());
  });

  routes.get('/events/:position/deliveries', (req, res) => {
    res.json(deliveries.of(parse(positionPath, req.params).position));
  });

  routes.get('/stream', async (req, res) => {
    const { after } = parse(streamQuery, req.query);
    const { now, from } = await db.read((tx) => ({
      now: head(tx),
      from: resumeFrom(tx, req.get('Last-Event-ID') ?? after),
    }));
    let step: Step = { text: '', upto: from ?? positionOf(now) };
    const next = async () => {
      const { upto } = step;
      step = await steps.of(upto, (tx) => readStep(tx, upto));
      return step.text;
    };
    await streams.serve(res, next, from === undefined ? reset(now) : '');
  });

  routes.all('/events', onlyMethods('GET', 'POST'));
  routes.all(['/log/verify', '/events/:position/deliveries', '/stream'], onlyMethods('GET'));
  return routes;
}

/** The log as one JSON array, a piece per page, until nobody wants it any more. */
async function* jsonArray(db: Database, filter: Filter, limit: number, isUnwanted: () => boolean) {
  const direction = filter.before === undefined ? 'after' : 'before';
  let rest = limit;
  let next: number | undefined = filter[direction] ?? 0;
  let opening = '[';
  while (next !== undefined && rest > 0 && !isUnwanted()) {
    const range: Filter = { ...filter, [direction]: next };
    const page = await db.read((tx) => readPage(tx, range, rest));
    if (page.entries.length > 0) {
      yield opening + page.entries.map(entryJson).join(',\n');
      opening = ',\n';
    }
    rest -= page.entries.length;
    next = page.next;
    // Neither reading nor a socket that takes all at once ends the turn of the event loop: others are served in between.
    if (next !== undefined) await nextTurn();
  }
  yield opening === '[' ? '[]\n' : ']\n';
}

/** What the stream has next behind a position. */
function readStep(tx: Tx, after: number): Step {
  const { entries } = readPage(tx, { after });
  const messages = entries.map((entry) => message(entryJson(entry), `${entry.position}-${entry.checksum}`));
  return { text: messages.join(''), upto: entries.at(-1)?.position ?? after };
}

/** The position that a stream goes on behind; undefined if the reader has to read the list again. */
function resumeFrom(tx: Tx, after: Checkpoint | undefined): number | undefined {
  const end = positionOf(head(tx));
  if (after === undefined) return end;
  if (!checkpointText.safeParse(after).success || !knows(tx, after)) return undefined;
  const position = positionOf(after);
  return end - position <= MISSED ? position : undefined;
}
