// The routes by which the bus reaches a service: `POST /events` delivers, `GET /events` asks for the checkpoint.
import { Router } from 'express';
import { BATCH, EVENT, PLAIN } from '../core/events.ts';
import { parse } from '../core/problem.ts';
import { pushHeaders, type Receiver } from '../core/subscriber.ts';
import { onlyWithToken } from './access.ts';
import { EVENTS_LIMIT, jsonBody } from './input.ts';

export function eventRoutes(subscriber: Receiver, token: string | undefined): Router {
  const routes = Router();
  routes.get('/events', async (req, res) => {
    res.json(await subscriber.progress(parse(pushHeaders, req.headers)));
  });
  routes.post('/events', onlyWithToken(token), jsonBody(EVENTS_LIMIT, PLAIN, EVENT, BATCH), async (req, res) => {
    const headers = parse(pushHeaders, req.headers);
    const { status, answer } = await subscriber.receive(req.body, headers, res.locals.traceparent);
    res.status(status).json(answer);
  });
  return routes;
}
