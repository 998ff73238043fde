// Sign-in: the way to the issuer and back, the session, and the attacks on them.
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { removeFolders, type Service } from '../../common/test/service.ts';
import { Browser, startAuth } from './auth-service.ts';
import { FakeIssuer } from './fake-issuer.ts';

let issuer: FakeIssuer;
let auth: Service;
let browser: Browser;
beforeAll(async () => {
  issuer = await new FakeIssuer().open();
  auth = await startAuth(issuer.url);
});
beforeEach(() => {
  issuer.lies = {};
  issuer.user = { sub: 'ada', name: 'Ada Lovelace' };
  browser = new Browser(auth.url);
});
afterAll(async () => {
  await Promise.all([auth?.close(), issuer?.close()]);
  removeFolders();
});

test('a person who says yes at the issuer comes back signed in, to the page that they came from', async () => {
  expect(await browser.me).toBeNull();
  const { status, location, cookies } = await browser.ask('/login?return=/p/1');
  expect([status, location]).toEqual([302, expect.stringContaining(`${issuer.url}/auth?`)]);
  expect(cookies).toEqual([
    expect.stringMatching(
      /^__Host-login=[\w-]{43}; Max-Age=600; Path=\/; Expires=[^;]+; HttpOnly; Secure; SameSite=Lax$/,
    ),
  ]);
  expect(Object.fromEntries(new URL(location).searchParams)).toMatchObject({
    response_type: 'code',
    redirect_uri: 'http://localhost:3000/login/callback',
    scope: 'openid profile',
    code_challenge_method: 'S256',
  });
  const back = await browser.ask(issuer.confirm(location));
  expect([back.status, back.location]).toEqual([303, '/p/1']);
  expect(back.cookies).toEqual([
    expect.stringMatching(
      /^__Host-session=[\w-]{43}; Max-Age=43200; Path=\/; Expires=[^;]+; HttpOnly; Secure; SameSite=Lax$/,
    ),
  ]);
  expect(await browser.me).toEqual({
    id: expect.stringMatching(/^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/),
    name: 'Ada Lovelace',
  });
  expect(await browser.token()).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+$/);
});
