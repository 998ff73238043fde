import type { Database } from '@blog/common/core/database.ts';
import { BODY_LIMIT, optionalBody, page, parsePage, wholeNumber } from '@blog/common/http/input.ts';
import { fieldProblem, onlyMethods, Problem, parse } from '@blog/common/http/problem.ts';
import { Router } from 'express';
import { z } from 'zod';
import { deleteLetter, getLetter, listLetters, unknownLetter } from './dead-letters.ts';
import type { Delivery } from './delivery.ts';

const letterPath = z.object({ id: wholeNumber(1) });
const replayBody = z.object(
  { from: z.int({ error: 'must be a whole number' }).min(1, 'must be at least 1').default(1) },
  'must be a JSON object',
);

const commands: Record<string, (loop: Delivery, body: unknown) => Promise<void>> = {
  pause: (loop) => loop.pause(),
  resume: (loop) => loop.resume(),
  skip: (loop) => loop.skip(),
  replay: (loop, body) => loop.replay(parse(replayBody, body ?? {}).from),
};

/** What a person sees of the subscriptions and dead letters, and does to them. */
export function controlRoutes({ db, loops }: { db: Database; loops: Delivery[] }): Router {
  const routes = Router();
  // Also where none is needed: a request whose body turns out to be malformed has changed nothing.
  const body = optionalBody(BODY_LIMIT);
  const find = (name: unknown) => {
    const loop = loops.find((candidate) => candidate.name === name);
    if (!loop) throw fieldProblem(404, 'name', 'must be the name of a subscription');
    return loop;
  };

  routes.get('/subscriptions', async (_req, res) => {
    res.json(await db.read((tx) => loops.map((loop) => loop.status(tx))));
  });

  for (const [name, command] of Object.entries(commands)) {
    routes.post(`/subscriptions/:name/${name}`, body, async (req, res) => {
      const loop = find(req.params.name);
      await command(loop, req.body);
      res.json(await db.read((tx) => loop.status(tx)));
    });
    routes.all(`/subscriptions/:name/${name}`, onlyMethods('POST'));
  }

  routes.get('/dead-letters', async (req, res) => {
    const { limit = 50, cursor } = parsePage(req);
    const { rows, more } = await db.read((tx) => listLetters(tx, limit, cursor));
    const shown = rows.map(({ id, record, ...letter }) => ({ id: `${id}`, ...letter, event: JSON.parse(record) }));
    res.json(page(req, res, { rows: shown, more }));
  });

  routes.post('/dead-letters/:id/redeliver', body, async (req, res) => {
    const { id } = parse(letterPath, req.params);
    const { subscription } = await db.read((tx) => getLetter(tx, id));
    const loop = loops.find(({ name }) => name === subscription);
    if (!loop) throw new Problem(409, `There is no subscription ${subscription} any more: discard the letter.`);
    await loop.redeliver(id);
    res.json({ status: 'OK' });
  });

  routes.delete('/dead-letters/:id', body, async (req, res) => {
    const { id } = parse(letterPath, req.params);
    if (!(await db.write((tx) => deleteLetter(tx, id)))) throw unknownLetter();
    res.status(204).end();
  });

  routes.all(['/subscriptions', '/dead-letters'], onlyMethods('GET'));
  routes.all('/dead-letters/:id/redeliver', onlyMethods('POST'));
  routes.all('/dead-letters/:id', onlyMethods('DELETE'));
  return routes;
}
