// The OpenID Connect client: finds the issuer, sends a person there, and exchanges the code that comes back for a user.

import type { Author } from '@blog/common/core/events.ts';
import { Problem, unavailable } from '@blog/common/core/problem.ts';
import { isLoopback } from '@blog/common/http/access.ts';
import { newId } from '@blog/common/http/input.ts';
import * as client from 'openid-client';
import type { Login } from './sessions.ts';

/** The maximum time of an exchange with the issuer, in seconds. */
const TIMEOUT = 5;

/** The maximum length of a name, in characters. */
const NAME = 100;
const NAMELESS = 'No name';

/** The maximum of an answer of the issuer, in bytes: without an end, one would fill the memory within the time. */
const ANSWER = 1024 * 1024;

type Settings = Record<'OIDC_ISSUER' | 'OIDC_CLIENT_ID' | 'OIDC_CLIENT_SECRET' | 'PUBLIC_URL', string>;

/**
 * True for an address that keeps what is sent to it secret on the way: TLS, or this machine. What is no address is
 * refused by `httpUrl`.
 */
export const isPrivate = (url: string): boolean => {
  const { protocol, hostname } = URL.parse(url) ?? { protocol: 'https:', hostname: '' };
  return protocol === 'https:' || isLoopback(hostname) || hostname.endsWith('.localhost');
};

/** The name that an issuer gives: it may send anything. Without control and direction characters, and not too long. */
export function parseName(...given: unknown[]): string {
  for (const text of given) {
    if (typeof text !== 'string') continue;
    const shown = text
      .toWellFormed()
      .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, ' ')
      .replace(/\s+/g, ' ')
      .trim();
    if (shown) return [...shown].slice(0, NAME).join('').trim();
  }
  return NAMELESS;
}

export class OpenIdClient {
  #settings: Settings;
  #redirect: string;
  #asking: Promise<client.Configuration> | undefined;
  #found: client.Configuration | undefined;
  /** The reason for which the last exchange with the issuer failed. */
  failure: string | undefined;

  constructor(settings: Settings) {
    this.#settings = settings;
    this.#redirect = new URL('/login/callback', settings.PUBLIC_URL).href;
  }

  /** The address at the issuer to which a person is sent. Asks for its configuration each time: a person is never sent to one that is away. */
  async addressFor({ state, nonce, verifier }: Login): Promise<string> {
    this.#asking ??= this.#discover().finally(() => {
      this.#asking = undefined;
    });
    const config = await this.#asking;
    const asked = {
      redirect_uri: this.#redirect,
      scope: 'openid profile',
      state,
      nonce,
      code_challenge: await client.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
    };
    try {
      return client.buildAuthorizationUrl(config, asked).href;
    } catch (error) {
      // Its configuration has no such address, or none that a browser may be sent to.
      throw this.#away(error);
    }
  }

  /**
   * Exchanges the code in the query of a callback for the user (OpenID Connect Core §3.1.3). The ID token's signature, issuer,
   * audience, time and nonce are checked.
   * @throws Problem 400 if the answer is not the one to this login; 503 if the issuer is away
   */
  async userOf(query: URLSearchParams, { state, nonce, verifier }: Login): Promise<Author> {
    const config = this.#found ?? (await this.#discover());
    try {
      const url = new URL(`${this.#redirect}?${query}`);
      const checks = { expectedState: state, expectedNonce: nonce, pkceCodeVerifier: verifier };
      const tokens = await client.authorizationCodeGrant(config, url, checks);
      const { iss, sub, name, preferred_username } = tokens.claims() as client.IDToken;
      // Many issuers tell the name only at their UserInfo endpoint (§5.3).
      const isAsked = !name && config.serverMetadata().userinfo_endpoint;
      const more = isAsked ? await client.fetchUserInfo(config, tokens.access_token, sub) : undefined;
      this.failure = undefined;
      return { id: newId(iss, sub), name: parseName(name, more?.name, preferred_username, more?.preferred_username) };
    } catch (error) {
      if (isRefusal(error)) throw new Problem(400, 'The issuer has not confirmed this sign-in. Sign in again.');
      throw this.#away(error);
    }
  }

  async #discover(): Promise<client.Configuration> {
    const { OIDC_ISSUER: issuer, OIDC_CLIENT_ID: id, OIDC_CLIENT_SECRET: secret } = this.#settings;
    // openid-client trusts TLS alone for the ID token that comes with a code; its signature is checked here, too.
    const execute = [client.enableNonRepudiationChecks];
    if (!issuer.startsWith('https:')) execute.push(client.allowInsecureRequests);
    try {
      const options = { timeout: TIMEOUT, execute, [client.customFetch]: fetchWhole };
      this.#found = await client.discovery(new URL(issuer), id, secret, undefined, options);
      this.failure = undefined;
      return this.#found;
    } catch (error) {
      throw this.#away(error);
    }
  }

  #away(error: unknown): Problem {
    // A code says it without quoting what the issuer has sent.
    let why = error as Error & { code?: string };
    while (!why.code && why.cause) why = why.cause as typeof why;
    this.failure = `The issuer ${this.#settings.OIDC_ISSUER} does not answer as it should: ${why.code ?? why.message}.`;
    return unavailable(
      'Nobody can sign in at the moment: the issuer does not answer. Those who are signed in stay so.',
      5,
    );
  }
}

/** Fetches an answer as a whole: one that breaks off, or has no end, is none. */
const fetchWhole: client.CustomFetch = async (url, options) => {
  const answer = await fetch(url, options as RequestInit);
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of answer.body ?? []) {
    size += chunk.length;
    if (size > ANSWER) throw new Error('its answer is too long');
    chunks.push(chunk);
  }
  return new Response(answer.body && Buffer.concat(chunks), answer);
};

/** True if the issuer, or the check of its answer, says that this sign-in is none; false if nothing can be said. */
function isRefusal(error: unknown): boolean {
  if (error instanceof client.ResponseBodyError) return error.error === 'invalid_grant';
  if (error instanceof client.AuthorizationResponseError) return true;
  return REFUSED.test((error as { code?: string }).code ?? '');
}

/** The codes of openid-client for an answer that was read, and is not the right one. */
const REFUSED = /^OAUTH_(INVALID_RESPONSE|PARSE_ERROR|JWT_|JSON_ATTRIBUTE_|KEY_SELECTION_|UNSUPPORTED_)/;
