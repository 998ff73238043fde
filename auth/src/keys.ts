// The keys that sign tokens, their rotation, and the tokens.
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import type { Author } from '@blog/common/core/events.ts';
import type { Tx } from '@blog/common/core/sqlite.ts';
import { CLOCK_TOLERANCE, TOKEN_ISSUER } from '@blog/common/http/identity.ts';
import { type JWK, SignJWT } from 'jose';

const MINUTE = 60_000;

/** The lifetime of a token, in milliseconds. A token cannot be revoked: this is how long a sign-out may take to work everywhere. */
const TOKEN_TIME = 5 * MINUTE;

/** The time for which a key signs, in milliseconds, and the time before it in which it is published already. */
export const KEY_TIME = 24 * 60 * MINUTE;
export const KEY_LEAD = 60 * MINUTE;

/** The algorithm of the keys and of the tokens (RFC 8037 §3.1). */
const ALGORITHM = 'EdDSA';

export type Key = { kid: string; jwk: string; signsFrom: number };

/** All keys, in the order in which they sign. */
export const readKeys = (tx: Tx): Key[] => tx.all<Key>('SELECT kid, jwk, signsFrom FROM keys ORDER BY signsFrom');

/** True if there is no key, or it is time to publish the next one. */
export function isRotationDue(keys: Key[], now: number): boolean {
  const newest = keys.at(-1);
  return !newest || now >= newest.signsFrom + KEY_TIME - KEY_LEAD;
}

/** Makes the next key, unless another request has just done so, and deletes those of which no token lives any more. */
export function rotate(tx: Tx, now: number): Key[] {
  const keys = readKeys(tx);
  if (!isRotationDue(keys, now)) return keys;
  const newest = keys.at(-1);
  // After a long pause the next key is late, and still published before it signs.
  const signsFrom = newest ? Math.max(newest.signsFrom + KEY_TIME, now + KEY_LEAD) : now;
  const jwk = JSON.stringify(generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' }));
  tx.run('INSERT INTO keys (kid, jwk, signsFrom) VALUES (?, ?, ?)', randomUUID(), jwk, signsFrom);
  for (const { kid } of keys.slice(0, -published(keys, now).length)) tx.run('DELETE FROM keys WHERE kid = ?', kid);
  return readKeys(tx);
}

const signing = (keys: Key[], now: number) => keys.findLast(({ signsFrom }) => signsFrom <= now) ?? keys[0];

/** The keys whose tokens may live, by the clock of a part that is late by the tolerance, and the next one. */
const published = (keys: Key[], now: number) =>
  keys.slice(keys.indexOf(signing(keys, now - TOKEN_TIME - CLOCK_TOLERANCE * 1_000) as Key));

/** The public keys as a JWK Set (RFC 7517 §5). */
export const publicKeys = (keys: Key[], now: number) => ({
  keys: published(keys, now).map(({ kid, jwk }) => {
    const { kty, crv, x } = JSON.parse(jwk) as JWK;
    return { kty, crv, x, kid, alg: ALGORITHM, use: 'sig' };
  }),
});

/** Makes a token that names a user to one service (JWT, RFC 7519). */
export function createToken(keys: Key[], { id, name }: Author, audience: string, now: number): Promise<string> {
  const { kid, jwk } = signing(keys, now) as Key;
  const seconds = Math.floor(now / 1_000);
  const times = { iat: seconds, nbf: seconds, exp: seconds + TOKEN_TIME / 1_000 };
  return new SignJWT({ iss: TOKEN_ISSUER, aud: audience, sub: id, name, ...times })
    .setProtectedHeader({ alg: ALGORITHM, kid })
    .sign(JSON.parse(jwk) as JWK);
}
