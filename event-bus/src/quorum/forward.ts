// Forwarding: a copy of the bus that does not lead passes on what it is asked, streams included, so that callers need not know who leads.
import { type IncomingHttpHeaders, request } from 'node:http';
import { agents } from '@blog/common/core/exchange.ts';
import { unavailable } from '@blog/common/core/problem.ts';
import { hasBody } from '@blog/common/http/input.ts';
import { type Response, Router } from 'express';

type Leadership = { leads: boolean; leader: { url: string } | undefined };

/** The header of what was passed on once: never twice, also if two copies each believe that the other leads. */
const FORWARDED = 'event-forwarded';

/** The headers of one connection, not of the message (RFC 9110 §7.6.1); and `expect`, which the server here has answered. */
const OF_CONNECTION = ['connection', 'keep-alive', 'te', 'trailer', 'transfer-encoding', 'upgrade', 'expect'];
const endToEnd = (headers: IncomingHttpHeaders) =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => !OF_CONNECTION.includes(name)));

/** The maximum wait for the head of an answer, in milliseconds. */
const DEADLINE = 10_000;
/** The interval at which it is checked that the leader is still the same, in milliseconds. */
const WATCH = 500;

/** `why` is the reason for which no copy leads, if this one knows it. */
export function forwarding(leadership: Leadership, why: () => string | undefined): Router {
  return Router().use((req, res, next) => {
    if (leadership.leads) {
      onlyWhile(() => leadership.leads, res);
      return next();
    }
    const { leader } = leadership;
    const isLoop = req.headers[FORWARDED] !== undefined;
    if (!leader || isLoop) throw unavailable(why() ?? 'No copy of the bus leads at the moment.');
    const headers = { ...endToEnd(req.headers), [FORWARDED]: '1' };
    const passed = request(leader.url + req.originalUrl, { method: req.method, headers, agent: agents.http });
    const began = performance.now();
    // A leader that was stopped neither answers nor closes.
    const watch = setInterval(() => {
      const isLate = !res.headersSent && performance.now() - began > DEADLINE;
      if (isLate || leadership.leader?.url !== leader.url) passed.destroy(new Error('no answer'));
    }, WATCH);
    passed.on('response', (answer) => {
      res.writeHead(answer.statusCode ?? 502, endToEnd(answer.headers));
      res.flushHeaders();
      answer.pipe(res);
      answer.on('error', () => res.destroy());
    });
    passed.on('error', () => {
      if (res.headersSent) res.destroy();
      else next(unavailable('The copy of the bus that leads does not answer.'));
    });
    passed.on('close', () => clearInterval(watch));
    res.on('close', () => passed.destroy());
    if (hasBody(req)) req.pipe(passed);
    else passed.end();
  });
}

/** Breaks an answer off that was made while this copy led, and would leave later: another copy may have written since. */
function onlyWhile(leads: () => boolean, res: Response): void {
  const { writeHead } = res;
  res.writeHead = ((...args: Parameters<typeof writeHead>) =>
    leads() ? writeHead.apply(res, args) : res.destroy()) as typeof writeHead;
}
