// The comments service: its routes, the relay of its outbox, its subscription.
import { entityId } from '@blog/common/core/events.ts';
import { parse } from '@blog/common/core/problem.ts';
import { Relay } from '@blog/common/core/relay.ts';
import { Subscriber } from '@blog/common/core/subscriber.ts';
import { onlySignedIn } from '@blog/common/http/identity.ts';
import { BODY_LIMIT, idempotencyKey, jsonBody, page, parsePage } from '@blog/common/http/input.ts';
import { busSettings, corsSettings, identitySettings, ownerSettings } from '@blog/common/run/config.ts';
import { defineService } from '@blog/common/run/service.ts';
import { Router } from 'express';
import { z } from 'zod';
import { createComment, handlers, listComments, newComment, publishAgain } from './comments.ts';
import { migrations } from './schema.ts';
import { createWaitingRoom } from './waiting-room.ts';

const postPath = z.object({ id: entityId });

export const comments = defineService({
  name: 'comments',
  settings: z.object({ ...busSettings, ...corsSettings, ...ownerSettings, ...identitySettings }),
  migrations,
  create(context) {
    const { db, settings } = context;
    const relay = new Relay({ ...context, handlers, answerAfter: settings.ANSWER_AFTER });
    const subscriber = new Subscriber({
      ...context,
      handlers,
      onReplay: publishAgain,
      onApplied: (events) => {
        for (const { type, data } of events) if (type === 'PostCreated') waitingRoom.arrived(data.id);
      },
    });
    const waitingRoom = createWaitingRoom(db, subscriber, relay);
    const routes = Router();
    const signedIn = onlySignedIn(settings.AUTH_URL, 'comments');

    routes.post('/posts/:id/comments', signedIn, jsonBody(BODY_LIMIT), async (req, res) => {
      const { id: postId } = parse(postPath, req.params);
      const given = parse(newComment, req.body);
      const key = idempotencyKey(req);
      const create = () => relay.publish((tx) => createComment(tx, postId, given, key, res.locals), key);
      let comment = await create();
      while (!comment) {
        await waitingRoom.waitFor(postId);
        comment = await create();
      }
      const location = `/posts/${encodeURIComponent(postId)}/comments#${comment.id}`;
      res.status(201).location(location).json(comment);
    });

    routes.get('/posts/:id/comments', async (req, res) => {
      const { id } = parse(postPath, req.params);
      const { limit = 1_000, cursor } = parsePage(req);
      res.json(page(req, res, await db.read((tx) => listComments(tx, id, limit, cursor))));
    });

    return { routes: [routes], relay, subscriber, held: waitingRoom };
  },
});
