// A fake of auth, over real HTTP: keys that the test rotates, and tokens that are wrong in any way.
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type JWTHeaderParameters, type JWTPayload, SignJWT } from 'jose';
import type { Ask } from './contract-suite.ts';

type Key = { kid: string; privateKey: KeyObject; publicKey: KeyObject };

export const newKey = (kid: string): Key => ({ kid, ...generateKeyPairSync('ed25519') });

export const ADA = { id: 'ada', name: 'Ada Lovelace' };
export const GRACE = { id: 'grace', name: 'Grace Hopper' };

export class FakeAuth {
  /** The keys at `/jwks`; the first one signs. */
  keys = [newKey('k1')];
  /** The number of times that the keys were asked for. */
  asked = 0;
  /** The answer to every question, instead of the keys. */
  broken: [status: number, body: string] | undefined;
  #server: Server | undefined;
  #port = 0;

  async open(): Promise<this> {
    this.#server = createServer((_req, res) => {
      this.asked += 1;
      const keys = this.keys.map(({ kid, publicKey }) => ({
        ...publicKey.export({ format: 'jwk' }),
        kid,
        alg: 'EdDSA',
      }));
      const [status, body] = this.broken ?? [200, JSON.stringify({ keys })];
      res.writeHead(status, { 'Content-Type': 'application/json' }).end(body);
    });
    await new Promise<void>((resolve) => this.#server?.listen(this.#port, '127.0.0.1', resolve));
    this.#port = (this.#server.address() as AddressInfo).port;
    return this;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** A token as auth makes it, but for these claims and this header; a claim that is undefined is left out. */
  token(user = ADA, claims: JWTPayload = {}, { key = this.keys[0] as Key, header = {} } = {}): Promise<string> {
    const now = Math.floor(Date.now() / 1_000);
    const times = { iat: now, nbf: now, exp: now + 300 };
    const all = { iss: 'blog-auth', aud: 'posts', sub: user.id, name: user.name, ...times, ...claims };
    const protectedHeader: JWTHeaderParameters = { alg: 'EdDSA', kid: key.kid, ...header };
    return new SignJWT(all).setProtectedHeader(protectedHeader).sign(key.privateKey);
  }

  /** Auth goes away; `open` brings it back at the same address. */
  close(): Promise<void> {
    this.#server?.closeAllConnections();
    return new Promise((resolve) => this.#server?.close(() => resolve()));
  }
}

type Part = { url: string; close(): Promise<void> };

/** Checks that a service with `AUTH_URL` answers as documented at the addresses that create something. */
export async function refusesStrangers(
  paths: string[],
  ask: Ask,
  audience: string,
  start: (env: Record<string, string>) => Promise<Part>,
): Promise<void> {
  const auth = await new FakeAuth().open();
  const strict = await start({ AUTH_URL: auth.url });
  try {
    for (const path of paths) {
      const post = async (status: number, token?: string) =>
        ask(status, 'POST', strict.url + path, {
          body: {},
          headers: { authorization: token ? `Bearer ${token}` : '' },
        });
      await post(401);
      await post(401, 'no.valid.token');
      await post(403, await auth.token(ADA, { aud: 'another' }));
      await post(400, await auth.token(ADA, { aud: audience }));
    }
  } finally {
    await Promise.all([strict.close(), auth.close()]);
  }
}
