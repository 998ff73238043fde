import type { Database } from '@blog/common/core/database.ts';
import { entityId } from '@blog/common/core/events.ts';
import type { Bus } from '@blog/common/core/exchange.ts';
import { Subscriber } from '@blog/common/core/subscriber.ts';
import type { Origins } from '@blog/common/http/access.ts';
import { createApp } from '@blog/common/http/app.ts';
import { page, parsePage } from '@blog/common/http/input.ts';
import { fieldProblem, onlyMethods, parse } from '@blog/common/http/problem.ts';
import { Shared, type Step, Streams } from '@blog/common/http/streams.ts';
import type { Log } from '@blog/common/observe/log.ts';
import { Metrics } from '@blog/common/observe/metrics.ts';
import { Router } from 'express';
import { z } from 'zod';
import { begin, readStep } from './changes.ts';
import { project } from './projection.ts';
import { Pushes } from './pushes.ts';
import { EMBEDDED, getPost, type List, readList, streamPosition } from './read-model.ts';

const postPath = z.object({ id: entityId });
const streamQuery = z.object({ after: z.string({ error: 'must be given once' }).optional() });

const openapi = new URL('../openapi.yaml', import.meta.url);

type Options = { db: Database; log: Log; bus: Bus; origins: Origins };

/** The query service: the read model that its subscription builds, and a stream of its changes. */
export function createQuery({ db, log, bus, origins }: Options) {
  const metrics = new Metrics(db);
  const subscriber = new Subscriber({
    db,
    bus,
    log,
    metrics,
    handles: ['PostCreated', 'CommentCreated', 'CommentUpdated'],
    urgent: ['PostCreated', 'CommentCreated', 'CommentUpdated'],
    handle: project,
    onApplied: (events) => pushes.applied(events, streams.readers),
  });
  const streams = new Streams(db, metrics);
  const pushes = new Pushes();
  const steps = new Shared<Step>(db);
  const lists = new Shared<List>(db);
  const routes = Router();

  routes.get('/posts', async (req, res) => {
    const { limit = 50, cursor } = parsePage(req);
    const list = await lists.of(JSON.stringify([limit, cursor]), (tx) => readList(tx, limit, cursor));
    page(req, res, list);
    res.set('Stream-Position', list.position).type('json').send(list.json);
  });

  routes.get('/posts/:id', async (req, res) => {
    const { id } = parse(postPath, req.params);
    const { limit = EMBEDDED, cursor } = parsePage(req);
    const { found, position } = await db.read((tx) => ({
      found: getPost(tx, id, limit, cursor),
      position: streamPosition(tx),
    }));
    // It may be on its way: what is stored and not published yet is known to its owner alone.
    if (!found) throw fieldProblem(404, 'id', 'must be the id of a post', 'No post with this id has come here yet.');
    res.set('Stream-Position', position);
    res.json({ ...found.post, comments: page(req, res, found.comments) });
  });

  routes.get('/stream', async (req, res) => {
    const { after } = parse(streamQuery, req.query);
    let step = await db.read((tx) => begin(tx, req.get('Last-Event-ID') ?? after));
    const next = async () => {
      const { upto } = step;
      step = await steps.of(upto, (tx) => readStep(tx, upto));
      if (step.text) pushes.sent();
      return step.text;
    };
    await streams.serve(res, next, step.text);
  });

  routes.all(['/posts', '/posts/:id', '/stream'], onlyMethods('GET'));

  const loops = [subscriber];
  const app = createApp({ openapi, db, log, metrics, routes: [routes, subscriber.routes], loops, origins });
  return { app, loops, streams };
}
