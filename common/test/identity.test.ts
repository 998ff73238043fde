// The verification of tokens: every forgery is refused, and auth may be away.
import { type KeyObject, sign } from 'node:crypto';
import { onlySignedIn } from '@blog/common/http/identity.ts';
import { problemHandler } from '@blog/common/http/problem.ts';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import express, { type Express } from 'express';
import { SignJWT, UnsecuredJWT } from 'jose';
import request from 'supertest';
import { ADA, FakeAuth, newKey } from './fake-auth.ts';
import { log } from './service.ts';

let auth: FakeAuth;
let app: Express;
beforeEach(async () => {
  auth = await new FakeAuth().open();
  app = serve();
});
afterEach(() => auth.close());

/** A service with one route, which answers with the author. */
function serve(limits = {}): Express {
  const app = express();
  app.post('/posts', onlySignedIn(auth.url, 'posts', { pause: 0, ...limits }), (_req, res) => {
    res.json(res.locals.author);
  });
  return app.use(problemHandler(log));
}

async function send(token: string | undefined, to = app) {
  const post = request(to).post('/posts');
  const { status, body, headers } = await (token === undefined ? post : post.set('Authorization', token));
  return { status, body, challenge: headers['www-authenticate'], retry: headers['retry-after'] };
}
const bearer = async (token: string | Promise<string>) => `Bearer ${await token}`;
const seconds = () => Math.floor(Date.now() / 1_000);
const MINUTES = 60;

test('a token of auth names the author', async () => {
  expect(await send(await bearer(auth.token()))).toMatchObject({ status: 200, body: ADA });
  // The scheme has no case (RFC 9110 §11.1).
  expect(await send(`bearer ${await auth.token()}`)).toMatchObject({ status: 200 });
});

/** The public key, which anyone may have, as the secret of a symmetric signature: in each form that a library may take it in. */
const asSecret = (key: KeyObject) => [
  key.export({ format: 'pem', type: 'spki' }) as string,
  key.export({ format: 'der', type: 'spki' }),
  Buffer.from(key.export({ format: 'jwk' }).x ?? '', 'base64url'),
];
const claims = () => ({
  sub: 'ada',
  name: 'Ada',
  iss: 'blog-auth',
  aud: 'posts',
  iat: seconds(),
  nbf: seconds(),
  exp: seconds() + 300,
});

/** Forged tokens, each of which would be good but for one thing. */
const FORGERIES: Record<string, () => Promise<string>[]> = {
  'is signed by another key with the name of a known one': () => [auth.token(ADA, {}, { key: newKey('k1') })],
  'is signed by an unknown key': () => [auth.token(ADA, {}, { key: newKey('other') })],
  'brings its own key': () => {
    const key = newKey('own');
    const jwk = key.publicKey.export({ format: 'jwk' });
    return [auth.token(ADA, {}, { key, header: { jwk } }), auth.token(ADA, {}, { key, header: { jwk, kid: 'k1' } })];
  },
  'names the address of its own keys': () => [
    auth.token(ADA, {}, { key: newKey('own'), header: { jku: 'http://127.0.0.1:9/jwks' } }),
  ],
  'has no signature (alg: none)': () => {
    const unsigned = new UnsecuredJWT(claims()).encode();
    const named = Buffer.from('{"alg":"none","kid":"k1"}').toString('base64url');
    return [unsigned, unsigned.replace(/^[^.]+/, named), unsigned.replace(/^[^.]+/, named.replace('none', 'None'))].map(
      async (token) => token,
    );
  },
  'is signed with the public key as a shared secret (HS256)': () =>
    asSecret(auth.keys[0]?.publicKey as KeyObject).map((secret) =>
      new SignJWT(claims()).setProtectedHeader({ alg: 'HS256', kid: 'k1' }).sign(Buffer.from(secret)),
    ),
  'has one letter changed': () =>
    [0, 1, 2].map(async (part) => {
      const parts = (await auth.token()).split('.');
      const [text = ''] = parts.splice(part, 1);
      const at = Math.floor(text.length / 2);
      parts.splice(part, 0, text.slice(0, at) + (text[at] === 'A' ? 'B' : 'A') + text.slice(at + 1));
      return parts.join('.');
    }),
  'has no signature any more': () => [auth.token().then((token) => token.replace(/[^.]+$/, ''))],
  'has expired': () => [auth.token(ADA, { exp: seconds() - 11 })],
  'is not valid yet': () => [auth.token(ADA, { nbf: seconds() + 60 })],
  'never expires': () => [auth.token(ADA, { exp: undefined })],
  'has no time of its beginning': () => [auth.token(ADA, { nbf: undefined })],
  'names nobody': () => [auth.token(ADA, { sub: undefined }), auth.token(ADA, { name: undefined })],
  'is of another issuer': () => [
    auth.token(ADA, { iss: 'http://issuer.example' }),
    auth.token(ADA, { iss: undefined }),
  ],
  'names a critical extension that is not known': () => {
    const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url');
    const text = `${encode({ alg: 'EdDSA', kid: 'k1', crit: ['x'], x: 1 })}.${encode(claims())}`;
    const signature = sign(null, Buffer.from(text), auth.keys[0]?.privateKey as KeyObject).toString('base64url');
    return [Promise.resolve(`${text}.${signature}`)];
  },
};

test.each(Object.entries(FORGERIES))('a token that %s is 401', async (_, forge) => {
  for (const token of forge()) {
    const { status, body, challenge } = await send(await bearer(token));
    expect({ status, body, challenge }).toMatchObject({ status: 401, challenge: 'Bearer error="invalid_token"' });
    // It says nothing of why: that would help only who forges.
    expect(body.detail).toBe('The token is not valid (any more). Sign in again.');
  }
});

test.each([undefined, '', 'Bearer', 'Bearer ', 'Basic YTpi', 'Bearer a b', 'Bearer é'])(
  'without a token (%s) it is 401, with a challenge',
  async (header) => {
    const { status, challenge } = await send(header);
    expect([status, challenge]).toEqual([401, expect.stringMatching(/^Bearer/)]);
  },
);

test('a token for another service is 403', async () => {
  for (const aud of ['comments', ['comments', 'query'], 'Posts', ''])
    expect(await send(await bearer(auth.token(ADA, { aud })))).toMatchObject({ status: 403 });
  expect(await send(await bearer(auth.token(ADA, { aud: ['comments', 'posts'] })))).toMatchObject({ status: 200 });
});

test('a clock that is off by up to ten seconds is tolerated; five minutes, on either side, are not', async () => {
  const off = (by: number) => {
    const now = seconds() + by;
    return bearer(auth.token(ADA, { iat: now, nbf: now, exp: now + 5 * MINUTES }));
  };
  expect(await send(await off(8))).toMatchObject({ status: 200 });
  expect(await send(await off(-5 * MINUTES - 5))).toMatchObject({ status: 200 });
  expect(await send(await off(5 * MINUTES))).toMatchObject({ status: 401 });
  expect(await send(await off(-10 * MINUTES))).toMatchObject({ status: 401 });
});

test('while auth is away valid tokens go on, and forged ones are still refused', async () => {
  expect(await send(await bearer(auth.token()))).toMatchObject({ status: 200 });
  await auth.close();
  expect(await send(await bearer(auth.token()))).toMatchObject({ status: 200 });
  expect(await send(await bearer(auth.token(ADA, {}, { key: newKey('k1') })))).toMatchObject({ status: 401 });
  expect(await send(await bearer(auth.token(ADA, {}, { key: newKey('k2') })))).toMatchObject({ status: 401 });
  // Also when the keys are to be fetched again.
  const eager = serve({ keysLive: 0 });
  await auth.open();
  expect(await send(await bearer(auth.token()), eager)).toMatchObject({ status: 200 });
  await auth.close();
  expect(await send(await bearer(auth.token()), eager)).toMatchObject({ status: 200 });
  await auth.open();
});

test.each<[string, () => unknown]>([
  ['is away', () => auth.close()],
  ['answers 500', () => (auth.broken = [500, '{}'])],
  ['answers something else', () => (auth.broken = [200, '<html>'])],
  ['answers what is no set of keys', () => (auth.broken = [200, '{"keys":[1]}'])],
])('if auth %s from the start, nobody is told that their token is bad: 503, until it answers', async (_, fail) => {
  await fail();
  const token = await bearer(auth.token());
  expect(await send(token)).toMatchObject({ status: 503, retry: '1' });
  expect(await send(undefined)).toMatchObject({ status: 401 });
  auth.broken = undefined;
  await auth.close();
  await auth.open();
  expect(await send(token)).toMatchObject({ status: 200 });
});

test('a new key is found by the first token that names it', async () => {
  expect(await send(await bearer(auth.token()))).toMatchObject({ status: 200 });
  auth.keys.unshift(newKey('k2'));
  expect(await send(await bearer(auth.token()))).toMatchObject({ status: 200 });
  expect(auth.asked).toBe(2);
});

test('a key that was rotated out is forgotten once the keys are fetched again', async () => {
  const eager = serve({ keysLive: 0 });
  const old = await bearer(auth.token());
  expect(await send(old, eager)).toMatchObject({ status: 200 });
  auth.keys = [newKey('k2')];
  expect(await send(old, eager)).toMatchObject({ status: 401 });
  expect(await send(await bearer(auth.token()), eager)).toMatchObject({ status: 200 });
});

test('unknown keys make it ask for the keys no more often than every few seconds, whoever names them', async () => {
  const calm = serve({ pause: 60_000 });
  const tokens = await Promise.all(Array.from({ length: 50 }, (_, i) => auth.token(ADA, {}, { key: newKey(`x${i}`) })));
  const answers = await Promise.all(tokens.map((token) => send(`Bearer ${token}`, calm)));
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([401]));
  expect(auth.asked).toBe(1);
  expect(await send(await bearer(auth.token()), calm)).toMatchObject({ status: 200 });
});

test('without the address of auth every request passes, without an author', async () => {
  const open = express().post('/posts', onlySignedIn(undefined, 'posts'), (_req, res) => {
    res.json({ author: res.locals.author ?? 'none' });
  });
  expect(await send('Bearer anything', open)).toMatchObject({ status: 200, body: { author: 'none' } });
});
