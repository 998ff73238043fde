import type { Database } from '@blog/common/core/database.ts';
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
import { createPost, handle, listPosts, publishAgain } from './posts.ts';

const newPost = requestBody({ title: requestText(200) });

const openapi = new URL('../openapi.yaml', import.meta.url);

type Options = { db: Database; log: Log; bus: Bus; origins: Origins };

/** The posts service: its routes, its outbox's relay, its subscription. */
export function createPosts({ db, log, bus, origins }: Options) {
  const metrics = new Metrics(db);
  const relay = new Relay({ db, bus, log, metrics });
  const subscriber = new Subscriber({
    db,
    bus,
    log,
    metrics,
    handles: ['PostCreated'],
    urgent: [],
    handle,
    onOrder: publishAgain,
  });
  const routes = Router();

  routes.post(['/posts', '/posts/create'], jsonBody(BODY_LIMIT), async (req, res) => {
    const { title } = parse(newPost, req.body);
    const key = idempotencyKey(req);
    const post = await db.write((tx) => createPost(tx, title, key, traceparentOf(req)));
    failpoint('written-not-answered');
    res.status(201).location(`/posts/${post.id}`).json(post);
  });

  routes.get('/posts', async (req, res) => {
    const { limit = 1_000, cursor } = parsePage(req);
    const posts = page(req, res, await db.read((tx) => listPosts(tx, limit, cursor)));
    res.json(Object.fromEntries(posts.map((post) => [post.id, post])));
  });

  routes.all('/posts', onlyMethods('GET', 'POST'));
  routes.all('/posts/create', onlyMethods('POST'));

  const loops = [relay, subscriber];
  const app = createApp({ openapi, db, log, metrics, routes: [routes, subscriber.routes], loops, origins });
  return { app, loops };
}
