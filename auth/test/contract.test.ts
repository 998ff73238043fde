// The auth service and its openapi.yaml agree.
import { afterAll, beforeAll } from '@jest/globals';
import { keepsItsContract } from '../../common/test/contract-suite.ts';
import { removeFolders } from '../../common/test/service.ts';
import { Browser, startAuth } from './auth-service.ts';
import { FakeIssuer } from './fake-issuer.ts';

let issuer: FakeIssuer;
beforeAll(async () => {
  issuer = await new FakeIssuer().open();
});
afterAll(async () => {
  await issuer.close();
  removeFolders();
});

/** The cookies of a browser that is signed in, and signs in again. */
let headers = {};
let callback = '';

keepsItsContract('auth', {
  start: () => startAuth(issuer.url),
  // The rest of a callback is in words: only what the issuer has given to this browser is good.
  inWords: ({ path }) => path.startsWith('/login/callback'),
  rest: () => ({
    '/login/callback': { query: callback.slice('/login/callback'.length), headers },
    '/token': { query: '?audience=posts', headers },
    '/me': { headers },
    '/logout': { headers },
  }),
  async session(ask, { url }) {
    const browser = new Browser(url);
    callback = await browser.toCallback(issuer);
    headers = { cookie: browser.cookie };
    await ask(303, 'GET', callback, { headers });
    await ask(400, 'GET', callback, { headers });
    await ask(302, 'GET', '/login');
    await ask(200, 'GET', '/me');
    await browser.signIn(issuer);
    callback = await browser.toCallback(issuer);
    headers = { cookie: browser.cookie };
    await ask(200, 'GET', '/me', { headers });
    await ask(204, 'GET', '/token?audience=posts', { headers });
    await ask(401, 'GET', '/token?audience=posts');
    await ask(400, 'GET', '/token?audience=query');
    await ask(200, 'GET', '/jwks');
    await ask(204, 'POST', '/logout');
  },
});
