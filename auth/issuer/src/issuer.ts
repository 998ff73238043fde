// An OpenID issuer to play with: two users without a password, and everything in memory. Not for real use: any visitor may
// sign in as either user.

import { generateKeyPairSync, randomBytes } from 'node:crypto';
import type { RequestListener } from 'node:http';
import { isForLocalhost } from '@blog/common/http/access.ts';
import { httpUrl, serverSettings } from '@blog/common/run/config.ts';
import Provider, { interactionPolicy } from 'oidc-provider';
import { z } from 'zod';

const { Check, base } = interactionPolicy;
const PORT = 4006;

/** The client's id and secret are those of the service auth. `PUBLIC_URL` is the blog's address in a browser. */
export const settingsSchema = z.object({
  ...serverSettings(PORT),
  OIDC_ISSUER: httpUrl.default(`http://localhost:${PORT}`),
  OIDC_CLIENT_ID: z.string().min(1),
  OIDC_CLIENT_SECRET: z.string().min(16),
  PUBLIC_URL: httpUrl.default('http://localhost:3000'),
});
type Settings = z.output<typeof settingsSchema>;

/** The names of the users, by the subject (`sub`) of their tokens. */
const USERS = new Map([
  ['ada', 'Ada Lovelace'],
  ['grace', 'Grace Hopper'],
]);
const PAGE = /^\/choose\/([\w-]+)(?:\/(\w+))?$/;

/** Creates the listener for the issuer's requests: OpenID Connect Core, and the page on which a user is chosen. */
export function createIssuer(settings: Settings): RequestListener {
  const provider = createProvider(settings);
  const answer = provider.callback();
  return async (req, res) => {
    const send = (status: number, html: string) => res.writeHead(status, HEADERS).end(html);
    if (!isForLocalhost(req, settings.ALLOWED_HOSTS)) return send(403, page('This issuer answers to localhost only.'));
    const [, id, user = ''] = PAGE.exec(req.url ?? '') ?? [];
    if (!id) return answer(req, res);
    try {
      if (req.method !== 'POST' || !USERS.has(user)) return send(200, page(choices(id)));
      await provider.interactionFinished(req, res, { login: { accountId: user } });
    } catch {
      send(
        400,
        page(`This sign-in is over. <a href="${settings.PUBLIC_URL}">Go back to the blog</a> and begin again.`),
      );
    }
  };
}

function createProvider({ OIDC_ISSUER, OIDC_CLIENT_ID, OIDC_CLIENT_SECRET, PUBLIC_URL }: Settings) {
  const policy = base();
  policy.remove('consent');
  // The issuer would remember its user, and sign in the next one as the same.
  const choose = new Check('choose', 'the user is chosen each time', ({ oidc }) => !oidc.result?.login);
  policy.get('login')?.checks.add(choose);
  const provider: Provider = new Provider(OIDC_ISSUER, {
    clients: [
      {
        client_id: OIDC_CLIENT_ID,
        client_secret: OIDC_CLIENT_SECRET,
        token_endpoint_auth_method: 'client_secret_post',
        redirect_uris: [new URL('/login/callback', PUBLIC_URL).href],
      },
    ],
    pkce: { required: () => true },
    interactions: { policy, url: (_ctx, { uid }) => `/choose/${uid}` },
    findAccount: (_ctx, sub) => ({ accountId: sub, claims: () => ({ sub, name: USERS.get(sub) }) }),
    claims: { openid: ['sub'], profile: ['name'] },
    conformIdTokenClaims: false, // the name is in the ID token too
    async loadExistingGrant({ oidc: { client, session } }) {
      const grant = new provider.Grant({ clientId: client?.clientId, accountId: session?.accountId });
      grant.addOIDCScope('openid profile');
      await grant.save();
      return grant;
    },
    ttl: { Interaction: 600, Session: 600, Grant: 600, AccessToken: 60, IdToken: 60 }, // seconds
    features: { devInteractions: { enabled: false } },
    cookies: { keys: [randomBytes(32).toString('hex')] },
    jwks: { keys: [generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' })] },
  });
  return provider;
}

const HEADERS = {
  'Content-Type': 'text/html; charset=utf-8',
  'Cache-Control': 'no-store',
  'Content-Security-Policy': "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
};

const page = (main: string) => `<!doctype html>
<html lang="en">
<meta charset="utf-8"><meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark">
<title>Sign in · issuer to play with</title>
<style>
  body { font: 1.125rem/1.5 system-ui; max-width: 26rem; margin: 10vh auto; padding: 0 1rem }
  button { font: inherit; display: block; width: 100%; padding: 0.75rem; margin: 0.75rem 0; cursor: pointer }
  h1 { font-size: 1.5rem }
  aside { margin-top: 2rem; border: 2px dashed; padding: 0.5rem 1rem }
</style>
<main>${main}</main>
<aside>This is an issuer to play with, not for real use: it asks for no password and forgets everything when it ends.</aside>
`;

const choices = (id: string) => `<h1>Sign in to the blog</h1>
<form method="post">${[...USERS].map(([user, name]) => `<button formaction="/choose/${id}/${user}">Continue as ${name}</button>`).join('')}</form>`;
