// The query service: the read model that its subscription builds, lists of it, and a stream of its changes.
import { setTimeout as delay } from 'node:timers/promises';
import { entityId } from '@blog/common/core/events.ts';
import type { Sending } from '@blog/common/core/observer.ts';
import { fieldProblem, parse } from '@blog/common/core/problem.ts';
import type { Tx } from '@blog/common/core/sqlite.ts';
import { Subscriber } from '@blog/common/core/subscriber.ts';
import { page, parsePage } from '@blog/common/http/input.ts';
import { Streams, shareReads } from '@blog/common/http/streams.ts';
import { busSettings, corsSettings } from '@blog/common/run/config.ts';
import { defineService } from '@blog/common/run/service.ts';
import { Router } from 'express';
import { z } from 'zod';
import { begin, isBehind, readStep } from './changes.ts';
import { handlers } from './projection.ts';
import { EMBEDDED, getPost, hasItem, type List, nameModel, readList } from './read-model.ts';
import { migrations } from './schema.ts';

const postPath = z.object({ id: entityId });
const streamQuery = z.object({ after: z.string({ error: 'must be given once' }).optional() });

/** The pauses after which a copy looks again for what a reader has seen at another one, in milliseconds: 2 s in all. */
const PAUSES = [50, 100, 150, 200, 500, 1_000];

/** The maximum of pushes that are observed on their way to the readers of the stream. */
const OBSERVED = 100;

export const query = defineService({
  name: 'query',
  settings: z.object({ ...busSettings, ...corsSettings }),
  migrations,
  create(context) {
    const { db, observer } = context;
    /** Changes that are observed until readers of the stream have them. */
    let pushing: Sending[] = [];
    const subscriber = new Subscriber({
      ...context,
      handlers,
      // A replayed log may be another one.
      onReplay: (tx) => nameModel(tx, undefined, false),
      onPush: nameModel,
      onApplied: (events) => {
        if (streams.readers === 0) pushing = [];
        else if (pushing.length < OBSERVED) pushing.push(observer.sending(events, 'stream'));
      },
    });
    const streams = new Streams(db);
    const shared = shareReads<List>(db);
    const routes = Router();

    /** Waits while this copy is behind another one, at which the reader has seen what it names. */
    async function catchUp(isBehind: (tx: Tx) => boolean): Promise<void> {
      for (const pause of PAUSES) {
        if (!(await db.read(isBehind))) return;
        await delay(pause);
      }
    }
    /** Alone, this copy knows what there is. */
    const findItem = async (id = '') => {
      if (id && subscriber.share.count > 1) await catchUp((tx) => !hasItem(tx, id));
    };

    routes.get('/posts', async (req, res) => {
      const { limit = 50, cursor } = parsePage(req);
      await findItem(cursor);
      const list = await shared(JSON.stringify([limit, cursor]), (tx) => readList(tx, limit, cursor));
      page(req, res, list);
      res.set('Stream-Position', list.position).type('json').send(list.json);
    });

    routes.get('/posts/:id', async (req, res) => {
      const { id } = parse(postPath, req.params);
      const { limit = EMBEDDED, cursor } = parsePage(req);
      await findItem(cursor ?? id);
      const found = await db.read((tx) => getPost(tx, id, limit, cursor));
      // It may be on its way: a post that is stored and not published yet is known to its owner alone.
      if (!found) throw fieldProblem(404, 'id', 'must be the id of a post', 'No post with this id has come here yet.');
      res.set('Stream-Position', found.position);
      res.json({ ...found.post, comments: page(req, res, found.comments) });
    });

    routes.get('/stream', async (req, res) => {
      const { after } = parse(streamQuery, req.query);
      const position = req.get('Last-Event-ID') ?? after;
      if (position) await catchUp((tx) => isBehind(tx, position));
      const first = await db.read((tx) => begin(tx, position));
      await streams.follow(res, first, readStep, () => {
        for (const { end } of pushing.splice(0)) end();
      });
    });

    return { routes: [routes], subscriber, streams };
  },
});
