// The routes of a person: what the subscriptions and dead letters are, and the commands to them.
import { randomUUID } from 'node:crypto';
import type { Database } from '@blog/common/core/database.ts';
import { PLAIN } from '@blog/common/core/events.ts';
import { isSuccess, reason } from '@blog/common/core/exchange.ts';
import { fieldProblem, Problem, parse, unavailable } from '@blog/common/core/problem.ts';
import { onlyWithToken } from '@blog/common/http/access.ts';
import { BODY_LIMIT, optionalBody, page, parsePage, requestBody, wholeNumber } from '@blog/common/http/input.ts';
import { Router } from 'express';
import { z } from 'zod';
import { copyOf } from './copies.ts';
import { deleteLetter, getLetter, listLetters, unknownLetter } from './dead-letters.ts';
import { head } from './log.ts';
import { failureOf, type Pusher, type Shared } from './pusher.ts';
import { statusOf } from './standing.ts';
import type { Subscriptions } from './subscriptions.ts';

const letterPath = z.object({ id: wholeNumber(1) });
const replayBody = requestBody({
  from: z.int({ error: 'must be a whole number' }).min(1, 'must be at least 1').default(1),
});

/** The commands to a subscription: each is made from the body of its request, and runs between two exchanges. */
const COMMANDS: Record<string, (body: unknown) => (pusher: Pusher) => Promise<void>> = {
  pause:
    () =>
    ({ subscription }) =>
      subscription.setPaused(true),

  /** Goes on, and tries at once what waits for its next attempt. */
  resume: () => async (pusher) => {
    await pusher.subscription.setPaused(false);
    pusher.askAt = 0;
  },

  /** Parks the event that this subscription is stuck on. */
  skip: () => async (pusher) => {
    const { order, divergence, failures } = pusher.subscription;
    if (divergence && !order) throw new Problem(409, 'The subscription is diverged: replay it.');
    const [event] = (await pusher.next()).events;
    if (!event) throw new Problem(409, 'There is no event to skip.');
    await pusher.park(event, `skipped by hand${failures.reason ? `: ${failures.reason}` : ''}`);
  },

  /** Goes back, so that `from` is the first position pushed; a checkpointed subscriber is ordered to. */
  replay(body) {
    const { from } = parse(replayBody, body ?? {});
    return async (pusher) => {
      const { divergence, position } = pusher.subscription;
      const most = divergence ? 1 : position + 1;
      if (from > most) throw fieldProblem(400, 'from', `must be at most ${most}`);
      await pusher.subscription.setOrder({ id: randomUUID(), from });
      pusher.askAt = 0;
    };
  },
};

/** Delivers a dead letter once more, outside the order; it is deleted after a 2xx. */
async function redeliver(pusher: Pusher, db: Database, id: number): Promise<void> {
  const { name, isGone } = pusher.subscription;
  if (isGone) throw new Problem(409, `${name} is gone: discard the letter, or forget the subscription.`);
  const letter = await db.read((tx) => getLetter(tx, id));
  const answer = await pusher.send([letter], PLAIN, { 'event-head': await db.read(head) }).catch((error) => {
    throw unavailable(`${name} does not answer: ${reason(error)}.`);
  });
  if (!isSuccess(answer)) throw new Problem(409, `${name} ${failureOf(answer).message}`);
  await db.write((tx) => deleteLetter(tx, id));
  pusher.delivered([letter], 1);
}

export function controlRoutes({ db, token, subscriptions }: Shared & { subscriptions: Subscriptions }): Router {
  const routes = Router().use(onlyWithToken(token));
  // Also where none is needed: a request whose body turns out to be malformed has changed nothing.
  const body = optionalBody(BODY_LIMIT);

  /** The loop of a subscription; if there is none, the answer names the copies of a service of this name. */
  const find = (name: unknown) => {
    const copies = subscriptions.all.map((one) => one.name).filter((one) => copyOf(one).service === name);
    const rule = copies.length > 0 ? `must be one of ${copies.join(', ')}` : 'must be the name of a subscription';
    const loop = subscriptions.find(name);
    if (!loop) throw fieldProblem(404, 'name', rule);
    return loop;
  };

  routes.get('/subscriptions', async (_req, res) => {
    res.json(await db.read((tx) => subscriptions.all.map((one) => statusOf(tx, one))));
  });

  routes.delete('/subscriptions/:name', body, async (req, res) => {
    await subscriptions.forget(find(req.params.name));
    res.status(204).end();
  });

  for (const [name, command] of Object.entries(COMMANDS)) {
    routes.post(`/subscriptions/:name/${name}`, body, async (req, res) => {
      const loop = find(req.params.name);
      await loop.command(command(req.body));
      res.json(await db.read((tx) => statusOf(tx, loop.subscription)));
    });
  }

  routes.get('/dead-letters', async (req, res) => {
    const { limit = 50, cursor } = parsePage(req);
    const { rows, more } = await db.read((tx) => listLetters(tx, limit, cursor));
    const shown = rows.map(({ id, record, ...letter }) => ({ id: `${id}`, ...letter, event: JSON.parse(record) }));
    res.json(page(req, res, { rows: shown, more }));
  });

  routes.post('/dead-letters/:id/redeliver', body, async (req, res) => {
    const { id } = parse(letterPath, req.params);
    const letter = await db.read((tx) => getLetter(tx, id));
    await find(letter.subscription).command((pusher) => redeliver(pusher, db, id));
    res.json({ status: 'OK' });
  });

  routes.delete('/dead-letters/:id', body, async (req, res) => {
    const { id } = parse(letterPath, req.params);
    if (!(await db.write((tx) => deleteLetter(tx, id)))) throw unknownLetter();
    res.status(204).end();
  });

  return routes;
}
