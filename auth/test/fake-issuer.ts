// A fake of an OpenID issuer, over real HTTP: it can be made to lie in every way that the client has to notice.
import { generateKeyPairSync, hash, type KeyObject, randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { type JWTPayload, SignJWT } from 'jose';

export const CLIENT = { id: 'blog', secret: 'a-secret-of-this-test' };

type Code = { nonce: string; challenge: string; redirect: string };
type Lies = {
  /** Members of the ID token that are others. */
  claims?: JWTPayload;
  /** The ID token as a whole. */
  sign?: (claims: JWTPayload, key: KeyObject) => string | Promise<string>;
  /** Answers any request to it instead. */
  answer?: (req: IncomingMessage, res: ServerResponse) => void;
};

/** The key of every fake of an issuer has the same name. */
export const sign = (claims: JWTPayload, key: KeyObject) =>
  new SignJWT(claims).setProtectedHeader({ alg: 'RS256', kid: 'k1' }).sign(key);

export class FakeIssuer {
  readonly keys = generateKeyPairSync('rsa', { modulusLength: 2048 });
  /** Its faults. */
  lies: Lies = {};
  /** Its claims about the person who signs in. */
  user: JWTPayload = { sub: 'ada', name: 'Ada Lovelace' };
  #codes = new Map<string, Code>();
  #server: Server = createServer((req, res) => (this.lies.answer ?? this.#answer)(req, res));

  async open(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return this;
  }

  get url(): string {
    return `http://localhost:${(this.#server.address() as AddressInfo).port}`;
  }

  /** The person says yes at the address to which auth has sent the browser. Returns the path of the callback. */
  confirm(address: string): string {
    const { searchParams: asked } = new URL(address);
    const code = randomUUID();
    const given = (name: string) => asked.get(name) ?? '';
    this.#codes.set(code, {
      nonce: given('nonce'),
      challenge: given('code_challenge'),
      redirect: given('redirect_uri'),
    });
    return `/login/callback?${new URLSearchParams({ code, state: given('state'), iss: this.url })}`;
  }

  close(): Promise<void> {
    this.#server.closeAllConnections();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }

  #answer = async (req: IncomingMessage, res: ServerResponse) => {
    const send = (status: number, body: object) =>
      res.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body));
    const { url } = this;
    if (req.url === '/.well-known/openid-configuration')
      return send(200, {
        issuer: url,
        authorization_endpoint: `${url}/auth`,
        token_endpoint: `${url}/token`,
        userinfo_endpoint: `${url}/userinfo`,
        jwks_uri: `${url}/jwks`,
        response_types_supported: ['code'],
        id_token_signing_alg_values_supported: ['RS256'],
        authorization_response_iss_parameter_supported: true,
      });
    if (req.url === '/jwks') {
      const jwk = this.keys.publicKey.export({ format: 'jwk' });
      return send(200, { keys: [{ ...jwk, kid: 'k1', alg: 'RS256', use: 'sig' }] });
    }
    if (req.url === '/userinfo') return send(200, this.user);
    const form = new URLSearchParams(await text(req));
    const code = this.#codes.get(form.get('code') ?? '');
    this.#codes.delete(form.get('code') ?? '');
    const challenge = hash('sha256', form.get('code_verifier') ?? '', 'base64url');
    const isOurs = form.get('client_id') === CLIENT.id && form.get('client_secret') === CLIENT.secret;
    if (!isOurs) return send(401, { error: 'invalid_client' });
    if (code?.challenge !== challenge || form.get('redirect_uri') !== code?.redirect)
      return send(400, { error: 'invalid_grant' });
    const now = Math.floor(Date.now() / 1_000);
    const claims = {
      iss: url,
      aud: CLIENT.id,
      iat: now,
      exp: now + 300,
      nonce: code.nonce,
      ...this.user,
      ...this.lies.claims,
    };
    const idToken = await (this.lies.sign ?? sign)(claims, this.keys.privateKey);
    send(200, { access_token: 'opaque', token_type: 'Bearer', expires_in: 300, id_token: idToken });
  };
}
