// The auth service: signs people in at an OpenID issuer, keeps their sessions, and makes short-lived tokens for the services.
import { Problem, parse, unavailable } from '@blog/common/core/problem.ts';
import { httpUrl, localDefault } from '@blog/common/run/config.ts';
import { localUrl } from '@blog/common/run/parts.ts';
import { defineService } from '@blog/common/run/service.ts';
import { type CookieOptions, type Request, Router } from 'express';
import { z } from 'zod';
import { createToken, isRotationDue, publicKeys, readKeys, rotate } from './keys.ts';
import { isPrivate, OpenIdClient } from './openid.ts';
import { migrations } from './schema.ts';
import {
  beginLogin,
  beginSession,
  endSession,
  findSession,
  LOGIN_TIME,
  newSecret,
  prolong,
  takeLogin,
} from './sessions.ts';

const MINUTE = 60_000;

/** The maximum of requests that wait for the issuer: with a slow one, more would take the connections from those who write. */
const AT_ISSUER = 100;
const TLS = 'must be an https:// address, or one of this machine: others could listen';

const settings = z
  .object({
    OIDC_ISSUER: localDefault(httpUrl, localUrl('issuer')),
    OIDC_CLIENT_ID: z.string().min(1),
    OIDC_CLIENT_SECRET: z.string().min(1),
    /** `on`: the issuer may have an http:// address on another machine, where the network between is trusted. */
    OIDC_ALLOW_HTTP: z.enum(['on', 'off']).default('off'),
    /** The blog's address in a browser. Over plain HTTP browsers keep `__Host-` cookies of this machine only. */
    PUBLIC_URL: localDefault(httpUrl, localUrl('client')).refine(isPrivate, TLS),
    SESSION_IDLE_MINUTES: z.coerce.number().positive().max(525_600).default(60),
    SESSION_MAX_HOURS: z.coerce.number().positive().max(8_760).default(12),
  })
  .refine((given) => given.OIDC_ALLOW_HTTP === 'on' || isPrivate(given.OIDC_ISSUER), {
    path: ['OIDC_ISSUER'],
    error: TLS,
  });

/** Browsers send them to no other host, only over TLS or to this machine, and show them to no script (RFC 6265bis §4.1.3.2). */
const LOGIN = '__Host-login';
const SESSION = '__Host-session';
const COOKIE: CookieOptions = { httpOnly: true, secure: true, sameSite: 'lax', path: '/' };

const cookieOf = ({ headers: { cookie = '' } }: Request, name: string): string =>
  new RegExp(`(?:^|; *)${name}=([\\w-]{43})(?:;|$)`).exec(cookie)?.[1] ?? '';

/** The path of the page to return to: nothing that a browser may take for another host's address. */
export const ownPath = (path: unknown): string =>
  typeof path === 'string' && path.length <= 2_000 && /^(?!.*\/\/)\/[!-[\]-~]*$/.test(path) ? path : '/';

const audience = z.object({ audience: z.enum(['posts', 'comments'], { error: 'must be posts or comments' }) });

export const auth = defineService({
  name: 'auth',
  settings,
  migrations,
  create({ db, metrics, observer, settings }) {
    const { SESSION_IDLE_MINUTES, SESSION_MAX_HOURS } = settings;
    const lifetimes = { idle: SESSION_IDLE_MINUTES * MINUTE, longest: SESSION_MAX_HOURS * 60 * MINUTE };
    const openid = new OpenIdClient(settings);
    const signIns = metrics.counter('sign_ins_total', 'Sign-ins that came back from the issuer.', 'result', [
      'accepted',
      'refused',
      'unavailable',
    ]);
    const routes = Router();
    routes.use((_req, res, next) => {
      res.set('Cache-Control', 'no-store');
      next();
    });

    // Browsers come here by a link, and by a redirect.
    let atIssuer = 0;
    routes.use('/login', (_req, res, next) => {
      res.locals.isPage = true;
      if (atIssuer >= AT_ISSUER) throw unavailable('Too many are signing in at once. Try again in a moment.', 5);
      atIssuer += 1;
      res.on('close', () => {
        atIssuer -= 1;
      });
      next();
    });

    routes.get('/login', async (req, res) => {
      const secrets = { state: newSecret(), nonce: newSecret(), verifier: newSecret() };
      const login = { ...secrets, returnTo: ownPath(req.query.return) };
      const address = await openid.addressFor(login);
      // Several tabs of one browser share its cookie.
      const browser = cookieOf(req, LOGIN) || newSecret();
      await db.write((tx) => beginLogin(tx, login, browser, Date.now()));
      res.cookie(LOGIN, browser, { ...COOKIE, maxAge: LOGIN_TIME });
      res.status(302).location(address).end();
    });

    routes.get('/login/callback', async (req, res) => {
      const query = new URL(req.url, 'http://auth').searchParams;
      const browser = cookieOf(req, LOGIN);
      try {
        const login = await db.write((tx) => takeLogin(tx, query.get('state') ?? '', browser, Date.now()));
        if (!login) throw new Problem(400, 'This browser has no such sign-in under way. Sign in again.');
        if (query.get('error') === 'access_denied') return void res.status(303).location(login.returnTo).end();
        const user = await openid.userOf(query, login);
        // A new id each time, so that one that was planted (session fixation) is worth nothing.
        const id = newSecret();
        await db.write((tx) => {
          endSession(tx, cookieOf(req, SESSION));
          beginSession(tx, id, user, lifetimes, Date.now());
        });
        signIns.inc({ result: 'accepted' });
        observer.log.info({ user: user.id }, 'signed in');
        res.cookie(SESSION, id, { ...COOKIE, maxAge: lifetimes.longest });
        res.status(303).location(login.returnTo).end();
      } catch (error) {
        signIns.inc({ result: error instanceof Problem && error.status < 500 ? 'refused' : 'unavailable' });
        throw error;
      }
    });

    /** The use of a session is noted once in this time, in milliseconds. */
    const noteEvery = Math.min(MINUTE, lifetimes.idle / 4);

    /** The user of a request's session, if there is one. Its use is noted now and then; a crash may lose that. */
    async function userOf(req: Request) {
      const id = cookieOf(req, SESSION);
      const now = Date.now();
      const found = id && (await db.read((tx) => findSession(tx, id, now)));
      if (!found) return undefined;
      if (found.expires < now + lifetimes.idle - noteEvery) db.later((tx) => prolong(tx, id, lifetimes, now));
      return { id: found.id, name: found.name };
    }

    /** The keys as of now. They are rotated when they are asked for: new ones are not needed before. */
    async function currentKeys() {
      const now = Date.now();
      const keys = await db.read(readKeys);
      if (!isRotationDue(keys, now)) return keys;
      return db
        .write((tx) => rotate(tx, now))
        .catch((error) => {
          // On a full disk, say: the last key is as good until the next one can be stored.
          if (keys.length === 0) throw error;
          return keys;
        });
    }

    routes.get('/me', async (req, res) => void res.json({ user: (await userOf(req)) ?? null }));

    routes.get('/token', async (req, res) => {
      const { audience: service } = parse(audience, req.query);
      const user = await userOf(req);
      if (!user) throw new Problem(401, 'Sign in first.', { headers: { 'WWW-Authenticate': 'Bearer' } });
      const token = await createToken(await currentKeys(), user, service, Date.now());
      res.set('Authorization', `Bearer ${token}`).status(204).end();
    });

    routes.get('/jwks', async (_req, res) => void res.json(publicKeys(await currentKeys(), Date.now())));

    routes.post('/logout', async (req, res) => {
      await db.write((tx) => endSession(tx, cookieOf(req, SESSION)));
      res.clearCookie(SESSION, COOKIE).status(204).end();
    });

    const checks = [{ degraded: async () => (openid.failure ? [openid.failure] : []) }];
    return { routes: [routes], checks };
  },
});
