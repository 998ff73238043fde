// The routes of a person: what the subscriptions and dead letters are, and what is done to them.
import type { Database } from '@blog/common/core/database.ts';
import { fieldProblem, Problem, parse } from '@blog/common/core/problem.ts';
import { onlyWithToken } from '@blog/common/http/access.ts';
import { BODY_LIMIT, optionalBody, page, parsePage, wholeNumber } from '@blog/common/http/input.ts';
import { Router } from 'express';
import { z } from 'zod';
import { pause, redeliver, replay, resume, skip } from './commands.ts';
import { deleteLetter, getLetter, listLetters, unknownLetter } from './dead-letters.ts';
import type { Delivery } from './delivery.ts';
import { statusOf } from './standing.ts';

const letterPath = z.object({ id: wholeNumber(1) });
const replayBody = z.object(
  { from: z.int({ error: 'must be a whole number' }).min(1, 'must be at least 1').default(1) },
  'must be a JSON object',
);

const COMMANDS: Record<string, (loop: Delivery, body: unknown) => Promise<void>> = {
  ...{ pause, resume, skip },
  replay: (loop, body) => replay(loop, parse(replayBody, body ?? {}).from),
};

type Options = { db: Database; token?: string; loops: Delivery[] };

export function controlRoutes({ db, token, loops }: Options): Router {
  const routes = Router().use(onlyWithToken(token));
  // Also where none is needed: a request whose body turns out to be malformed has changed nothing.
  const body = optionalBody(BODY_LIMIT);
  const find = (name: unknown) => {
    const loop = loops.find(({ subscription }) => subscription.name === name);
    if (!loop) throw fieldProblem(404, 'name', 'must be the name of a subscription');
    return loop;
  };

  routes.get('/subscriptions', async (_req, res) => {
    res.json(await db.read((tx) => loops.map(({ subscription }) => statusOf(tx, subscription))));
  });

  for (const [name, command] of Object.entries(COMMANDS)) {
    routes.post(`/subscriptions/:name/${name}`, body, async (req, res) => {
      const loop = find(req.params.name);
      await command(loop, req.body);
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
    const loop = loops.find(({ subscription }) => subscription.name === letter.subscription);
    if (!loop) throw new Problem(409, `There is no subscription ${letter.subscription} any more: discard the letter.`);
    await redeliver(loop, db, id);
    res.json({ status: 'OK' });
  });

  routes.delete('/dead-letters/:id', body, async (req, res) => {
    const { id } = parse(letterPath, req.params);
    if (!(await db.write((tx) => deleteLetter(tx, id)))) throw unknownLetter();
    res.status(204).end();
  });

  return routes;
}
