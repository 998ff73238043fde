import type { Database } from '@blog/common/core/database.ts';
import { entityId } from '@blog/common/core/events.ts';
import type { Bus } from '@blog/common/core/exchange.ts';
import { Relay } from '@blog/common/core/outbox.ts';
import { Subscriber } from '@blog/common/core/subscriber.ts';
import type { Origins } from '@blog/common/http/access.ts';
import { createApp } from '@blog/common/http/app.ts';
import {
  BODY_LIMIT,
  idempotencyKey,
  jsonBody,
  page,
  parsePage,
  requestBody,
  requestText,
} from '@blog/common/http/input.ts';
import { onlyMethods, parse } from '@blog/common/http/problem.ts';
import { failpoint } from '@blog/common/observe/failpoints.ts';
import type { Log } from '@blog/common/observe/log.ts';
import { Metrics } from '@blog/common/observe/metrics.ts';
import { traceparentOf } from '@blog/common/observe/traces.ts';
import { Router } from 'express';
import { z } from 'zod';
import { createComment, handle, listComments, publishAgain } from './comments.ts';
import { WaitingRoom } from './waiting-room.ts';

const postPath = z.object({ id: entityId });
const newComment = requestBody({ content: requestText(2_000) });

const openapi = new URL('../openapi.yaml', import.meta.url);

type Options = { db: Database; log: Log; bus: Bus; origins: Origins };

/** The comments service: its routes, its outbox's relay, its subscription. */
export function createComments({ db, log, bus, origins }: Options) {
  const metrics = new Metrics(db);
  const waitingRoom = new WaitingRoom();
  const relay = new Relay({ db, bus, log, metrics });
  const subscriber = new Subscriber({
    db,
    bus,
    log,
    metrics,
    handles: ['PostCreated', 'CommentCreated', 'CommentModerated'],
    urgent: ['PostCreated', 'CommentModerated'],
    handle,
    onOrder: publishAgain,
    onApplied: (events) => {
      for (const { type, data } of events) if (type === 'PostCreated') waitingRoom.arrived(data.id);
    },
  });
  const routes = Router();

  routes.post('/posts/:id/comments', jsonBody(BODY_LIMIT), async (req, res) => {
    const { id: postId } = parse(postPath, req.params);
    const { content } = parse(newComment, req.body);
    const key = idempotencyKey(req);
    const traceparent = traceparentOf(req);
    const create = () => db.write((tx) => createComment(tx, postId, content, key, traceparent));
    let comment = await create();
    while (!comment) {
      await waitingRoom.knows(db, subscriber, relay, postId);
      comment = await create();
    }
    failpoint('written-not-answered');
    res
      .status(201)
      .location(`/posts/${encodeURIComponent(postId)}/comments#${comment.id}`)
      .json(comment);
  });

  routes.get('/posts/:id/comments', async (req, res) => {
    const { id } = parse(postPath, req.params);
    const { limit = 1_000, cursor } = parsePage(req);
    res.json(page(req, res, await db.read((tx) => listComments(tx, id, limit, cursor))));
  });

  routes.all('/posts/:id/comments', onlyMethods('GET', 'POST'));

  const loops = [relay, subscriber];
  const app = createApp({ openapi, db, log, metrics, routes: [routes, subscriber.routes], loops, origins });
  return { app, loops, waitingRoom };
}
