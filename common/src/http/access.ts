import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import cors from 'cors';
import type { RequestHandler } from 'express';
import { z } from 'zod';
import { hasBody } from './input.ts';
import { Problem } from './problem.ts';

/** The pages that may call from a browser, by their origins. */
export type Origins = '*' | RegExp | string[];

/** A page on this machine, on any port. */
export const LOOPBACK = /^https?:\/\/(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/;

/** `CORS_ORIGINS`: the origins that may call from a browser, separated by commas or `*`; loopback unless set. */
export const corsSettings = {
  CORS_ORIGINS: z
    .string()
    .transform((list) => list.split(',').map((origin) => origin.trim()))
    .refine(
      (list) => list.every((origin) => origin === '*' || (URL.canParse(origin) && new URL(origin).origin === origin)),
      {
        error: 'must be origins like https://blog.example, separated by commas, or *',
      },
    )
    .transform((list): Origins => (list.includes('*') ? '*' : list))
    .default(LOOPBACK),
};

/** Lets pages of these origins call, and read every header that the protocol uses. */
export const crossOrigin = (origins: Origins): RequestHandler =>
  cors({ origin: origins, exposedHeaders: ['Link', 'Location', 'Retry-After', 'Stream-Position'] });

/** Whether a request only reads, as its method says (RFC 9110 §9.2.1). */
export const isSafe = ({ method = '' }: IncomingMessage): boolean => ['GET', 'HEAD', 'OPTIONS'].includes(method);

/**
 * A browser sends what any page tells it to; only the answer it keeps from a page of another origin. So what would change
 * something is refused if it names an origin (as browsers do with each such request) that may not call, and if its body is
 * what a plain form can send.
 * @throws Problem 403, 415
 */
export function onlyWritesOf(origins: Origins | undefined): RequestHandler {
  const mayWrite = (origin: string) =>
    origins instanceof RegExp ? origins.test(origin) : origins === '*' || origins?.includes(origin);
  return (req, _res, next) => {
    const { origin, 'content-type': type = '' } = req.headers;
    if (isSafe(req)) return next();
    if (origin !== undefined && !mayWrite(origin)) {
      throw new Problem(403, `Pages of the origin ${origin} cannot change anything here.`);
    }
    if (hasBody(req) && !JSON_TYPE.test(type)) throw new Problem(415, 'A body must be JSON, and say so.');
    next();
  };
}

const JSON_TYPE = /^application\/([\w.-]+\+)?json\s*(;|$)/i;

/** Whether nobody on another machine reaches a server that listens on this address. */
export const isLoopback = (host: string): boolean => /^(localhost|127\..*|\[?::1\]?)$/i.test(host);

/**
 * Checks that a request names this machine in `Host`. A page that has its own name resolved to 127.0.0.1 (DNS rebinding) is of
 * the same origin as what it then calls, and may read and write. For that its author must answer for the name in public DNS,
 * so it has a dot; nobody can register one below `localhost` (RFC 6761) or `internal` (reserved by ICANN), and an IP address
 * is never looked up. A name without a dot can only be answered for in the reader's own network (hosts file, search domain,
 * LLMNR): whoever can do that there is trusted, because classic setups and containers use such names (`event-bus-srv`).
 * @param allowed the names of `ALLOWED_HOSTS`
 */
export function isForLocalhost({ headers }: IncomingMessage, allowed: readonly string[] = []): boolean {
  const host = (headers.host ?? '').replace(/:\d*$/, '').toLowerCase();
  return OWN_NAME.test(host) || isIP(host.replace(/^\[(.*)\]$/, '$1')) !== 0 || allowed.includes(host);
}

const OWN_NAME = /^([\w-]+|[\w.-]+\.(localhost|internal))$/;

export const WRONG_HOST = 'This server is not called by this name: use localhost, or add the name to ALLOWED_HOSTS.';

/** Refuses any other name on a server that listens on loopback, for which `startServer` has set the allowed ones. */
export const onlyAsLocalhost: RequestHandler = (req, _res, next) => {
  const allowed = req.app.get('allowed hosts');
  if (!allowed || isForLocalhost(req, allowed)) return next();
  throw new Problem(403, WRONG_HOST);
};

/** `BUS_TOKEN`: what services and bus know each other by. Without it anybody who can reach them may publish and deliver. */
export const tokenSettings = {
  BUS_TOKEN: z
    .string()
    .regex(/^[\x21-\x7e]{16,256}$/, 'must be 16 to 256 visible ASCII characters')
    .optional(),
};

/**
 * Lets only callers change something that name the token (RFC 6750 §2.1); anybody if there is none. It stands before what
 * reads the body.
 * @throws Problem 401
 */
export function onlyWithToken(token: string | undefined): RequestHandler {
  const wanted = token && digest(token);
  return (req, _res, next) => {
    if (!wanted || isSafe(req)) return next();
    const [, given] = /^Bearer +([\x21-\x7e]+)$/i.exec(req.get('Authorization') ?? '') ?? [];
    // Digests are equally long: how long a comparison takes tells nothing of the token.
    if (!given || !timingSafeEqual(digest(given), wanted)) {
      throw new Problem(401, 'The token of the bus is needed here.', { headers: { 'WWW-Authenticate': 'Bearer' } });
    }
    next();
  };
}

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
