// The posts service: its routes, the relay of its outbox, its subscription.
import { parse } from '@blog/common/core/problem.ts';
import { Relay } from '@blog/common/core/relay.ts';
import { Subscriber } from '@blog/common/core/subscriber.ts';
import { onlySignedIn } from '@blog/common/http/identity.ts';
import { BODY_LIMIT, idempotencyKey, jsonBody, page, parsePage } from '@blog/common/http/input.ts';
import { busSettings, corsSettings, identitySettings, ownerSettings } from '@blog/common/run/config.ts';
import { defineService } from '@blog/common/run/service.ts';
import { Router } from 'express';
import { z } from 'zod';
import { createPost, handlers, listPosts, newPost, publishAgain } from './posts.ts';
import { migrations } from './schema.ts';

export const posts = defineService({
  name: 'posts',
  settings: z.object({ ...busSettings, ...corsSettings, ...ownerSettings, ...identitySettings }),
  migrations,
  create(context) {
    const { db, settings } = context;
    const relay = new Relay({ ...context, handlers, answerAfter: settings.ANSWER_AFTER });
    const subscriber = new Subscriber({ ...context, handlers, onReplay: publishAgain });
    const routes = Router();
    const signedIn = onlySignedIn(settings.AUTH_URL, 'posts');

    for (const path of ['/posts', '/posts/create']) {
      routes.post(path, signedIn, jsonBody(BODY_LIMIT), async (req, res) => {
        const given = parse(newPost, req.body);
        const key = idempotencyKey(req);
        const post = await relay.publish((tx) => createPost(tx, given, key, res.locals), key);
        res.status(201).location(`/posts/${post.id}`).json(post);
      });
    }

    routes.get('/posts', async (req, res) => {
      const { limit = 1_000, cursor } = parsePage(req);
      const posts = page(req, res, await db.read((tx) => listPosts(tx, limit, cursor)));
      res.json(Object.fromEntries(posts.map((post) => [post.id, post])));
    });

    return { routes: [routes], relay, subscriber };
  },
});
