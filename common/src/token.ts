import { createHash, timingSafeEqual } from 'node:crypto';
import type { RequestHandler } from 'express';
import { z } from 'zod';
import { isSafe } from './origins.ts';
import { Problem } from './problem.ts';

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
