// Access: pages of which origins may call, by which names a server on loopback is called, and the token between the parts.
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import cors from 'cors';
import type { RequestHandler } from 'express';
import { Problem } from '../core/problem.ts';
import { hasBody } from './input.ts';

/** The pages that may call from a browser, by their origins. */
export type Origins = '*' | RegExp | string[];

/** Pages on this machine, on any port. */
export const LOOPBACK = /^https?:\/\/(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/;

/** Lets pages of these origins call, and read every header that the protocol uses. */
export const crossOrigin = (origins: Origins): RequestHandler =>
  cors({ origin: origins, exposedHeaders: ['Link', 'Location', 'Retry-After', 'Stream-Position'] });

/** True for a method that only reads (RFC 9110 §9.2.1). */
export const isSafe = ({ method = '' }: IncomingMessage): boolean => ['GET', 'HEAD', 'OPTIONS'].includes(method);

/**
 * Defends against cross-site request forgery: a browser sends the requests of any page, and only keeps the answer from it. So a
 * request that would change something is refused from an origin that may not call, or with a type that a plain form can send.
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

/** True if a server that listens on this address cannot be reached from another machine. */
export const isLoopback = (host: string): boolean => /^(localhost|127\..*|\[?::1\]?)$/i.test(host);

/**
 * Checks that a request names this machine in `Host`. A page that has its own name resolved to 127.0.0.1 (DNS rebinding) is of
 * the same origin as the server it then calls. Its name is one of public DNS, and has a dot; nobody can register one below
 * `localhost` (RFC 6761) or `internal` (ICANN), and an IP address is never looked up. A name without a dot (`event-bus-srv`)
 * is answered for only in the reader's own network, which is trusted.
 * @param allowed the names of `ALLOWED_HOSTS`
 */
export function isForLocalhost({ headers }: IncomingMessage, allowed: readonly string[] = []): boolean {
  const host = (headers.host ?? '').replace(/:\d*$/, '').toLowerCase();
  return OWN_NAME.test(host) || isIP(host.replace(/^\[(.*)\]$/, '$1')) !== 0 || allowed.includes(host);
}

const OWN_NAME = /^([\w-]+|[\w.-]+\.(localhost|internal))$/;

export const WRONG_HOST = 'This server is not called by this name: use localhost, or add the name to ALLOWED_HOSTS.';

/** Refuses any other name on a server that listens on loopback, for which `startService` has set the allowed ones. */
export const onlyAsLocalhost: RequestHandler = (req, _res, next) => {
  const allowed = req.app.get('allowed hosts');
  if (!allowed || isForLocalhost(req, allowed)) return next();
  throw new Problem(403, WRONG_HOST);
};

/**
 * Lets only callers change something that name the token (RFC 6750 §2.1); any caller if there is none.
 * @throws Problem 401
 */
export function onlyWithToken(token: string | undefined): RequestHandler {
  const wanted = token && digest(token);
  return (req, _res, next) => {
    if (!wanted || isSafe(req)) return next();
    const [, given] = /^Bearer +([\x21-\x7e]+)$/i.exec(req.get('Authorization') ?? '') ?? [];
    // Digests are equally long: the time of a comparison tells nothing about the token.
    if (!given || !timingSafeEqual(digest(given), wanted)) {
      throw new Problem(401, 'The token of the bus is needed here.', { headers: { 'WWW-Authenticate': 'Bearer' } });
    }
    next();
  };
}

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
