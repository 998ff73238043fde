import type { IncomingMessage } from 'node:http';
import cors from 'cors';
import type { RequestHandler } from 'express';
import { z } from 'zod';
import { hasBody } from './body.ts';
import { Problem } from './problem.ts';

/** The pages that may call from a browser, by their origins. */
export type Origins = '*' | RegExp | string[];

/** A page on this machine, on any port. */
export const LOOPBACK = /^https?:\/\/(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/;

/** `CORS_ORIGINS`: the origins that may call from a browser, separated by commas or `*`; loopback unless set. */
export const corsSettings = {
  CORS_ORIGINS: z
    .string()
    .transform((list): Origins => {
      const origins = list.split(',').map((origin) => origin.trim());
      return origins.includes('*') ? '*' : origins;
    })
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
 * Whether a request is meant for this machine. A page that has its own name resolved to 127.0.0.1 (DNS rebinding) is of the
 * same origin as what it then calls, and may read and write; but its name stands in `Host`. A container calls its machine
 * `host.docker.internal`, a name that no page can have.
 */
export const isForLocalhost = ({ headers }: IncomingMessage): boolean =>
  /^(([\w-]+\.)*localhost|host\.docker\.internal|127(\.\d{1,3}){3}|\[::1\])(:\d*)?$/i.test(headers.host ?? '');

/** Where the server listens on loopback, as `startServer` notes, it is called by no other name. */
export const onlyAsLocalhost: RequestHandler = (req, _res, next) => {
  if (!req.app.enabled('loopback') || isForLocalhost(req)) return next();
  throw new Problem(403, 'What listens on loopback (HOST) answers only as localhost.');
};
