// Identity: verifies the token by which auth names the author of a request. Each service does so itself, with auth's public keys.
import type { RequestHandler } from 'express';
import { createLocalJWKSet, errors, type JSONWebKeySet, type JWTPayload, jwtVerify } from 'jose';
import type { Author } from '../core/events.ts';
import { exchange } from '../core/exchange.ts';
import { Problem, unavailable } from '../core/problem.ts';

/** The issuer (`iss`) of the tokens. */
export const TOKEN_ISSUER = 'blog-auth';

/** The difference of two machines' clocks that is tolerated, in seconds. A clock that is further off is refused with 401. */
export const CLOCK_TOLERANCE = 10;

/** The limits of fetching keys, in milliseconds. Tests shorten them. */
const LIMITS = {
  /** The time after which the keys are fetched again, so that one that was rotated out is forgotten. */
  keysLive: 5 * 60_000,
  /** The least time between two attempts: any caller can name an unknown key. */
  pause: 5_000,
  /** The maximum time of an attempt: a request waits for it. */
  deadline: 3_000,
};

/** Verifies tokens for one service. The keys are kept while auth is away, because its tokens are still good then. */
function createVerifier(authUrl: string, audience: string, { keysLive, pause, deadline }: typeof LIMITS) {
  const url = new URL('/jwks', authUrl).href;
  let keys: ReturnType<typeof createLocalJWKSet> | undefined;
  let fetchedAt = Number.NEGATIVE_INFINITY;
  let askedAt = Number.NEGATIVE_INFINITY;
  let asked: Promise<void> | undefined;

  async function ask(): Promise<void> {
    askedAt = performance.now();
    try {
      const { status, body } = await exchange({ method: 'GET', url, deadline });
      if (status !== 200) return;
      keys = createLocalJWKSet(body as JSONWebKeySet);
      fetchedAt = performance.now();
    } catch {
      // Auth is away, or something else answers there.
    }
  }

  /** Fetches the keys, unless that was just tried. Resolves once the last attempt has ended. */
  function fetchKeys(): Promise<void> | undefined {
    if (performance.now() - askedAt >= pause) asked = ask();
    return asked;
  }

  const options = {
    algorithms: ['EdDSA'],
    issuer: TOKEN_ISSUER,
    audience,
    clockTolerance: CLOCK_TOLERANCE,
    requiredClaims: ['sub', 'name', 'iat', 'nbf', 'exp'],
  };

  return async (token: string): Promise<JWTPayload> => {
    if (performance.now() - fetchedAt >= keysLive) await fetchKeys();
    if (!keys) throw unavailable('Who you are cannot be told at the moment: auth does not answer.');
    try {
      return (await jwtVerify(token, keys, options)).payload;
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
      // A key may be newer than the last time they were fetched.
      await fetchKeys();
      return (await jwtVerify(token, keys, options)).payload;
    }
  };
}

/**
 * Lets only requests pass that have a token of auth for this service (RFC 6750 §2.1), and sets `res.locals.author`; any request,
 * without an author, if there is no auth.
 * @throws Problem 401 without a valid token, 403 with one for another service, 503 if auth has not been heard from yet
 */
export function onlySignedIn(
  authUrl: string | undefined,
  audience: string,
  limits: Partial<typeof LIMITS> = {},
): RequestHandler {
  if (!authUrl) return (_req, _res, next) => next();
  const verify = createVerifier(authUrl, audience, { ...LIMITS, ...limits });
  return async (req, res, next) => {
    const [, token] = /^Bearer +([\w.~+/=-]+)$/i.exec(req.get('Authorization') ?? '') ?? [];
    if (!token) throw unauthorized('Sign in to write here.');
    try {
      const { sub, name } = await verify(token);
      res.locals.author = { id: String(sub), name: String(name) } satisfies Author;
    } catch (error) {
      if (!(error instanceof errors.JOSEError)) throw error;
      const isForeign = error instanceof errors.JWTClaimValidationFailed && error.claim === 'aud';
      if (isForeign) throw new Problem(403, `This token is for another service than ${audience}.`);
      throw unauthorized('The token is not valid (any more). Sign in again.', ' error="invalid_token"');
    }
    next();
  };
}

/** The challenge of RFC 6750 §3. */
const unauthorized = (detail: string, error = '') =>
  new Problem(401, detail, { headers: { 'WWW-Authenticate': `Bearer${error}` } });
