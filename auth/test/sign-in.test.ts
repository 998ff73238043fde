// Sign-in: the way to the issuer and back, and the attacks on it.
import type { IncomingMessage } from 'node:http';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { SignJWT, UnsecuredJWT } from 'jose';
import { removeFolders, type Service } from '../../common/test/service.ts';
import { auth as definition, ownPath } from '../src/app.ts';
import { parseName } from '../src/openid.ts';
import { beginLogin } from '../src/sessions.ts';
import { Browser, settingsOf, startAuth } from './auth-service.ts';
import { setClock } from './clock.ts';
import { CLIENT, FakeIssuer, sign } from './fake-issuer.ts';

let issuer: FakeIssuer;
let other: FakeIssuer;
let auth: Service;
let browser: Browser;
beforeAll(async () => {
  issuer = await new FakeIssuer().open();
  other = await new FakeIssuer().open();
  auth = await startAuth(issuer.url);
});
beforeEach(() => {
  issuer.lies = {};
  issuer.user = { sub: 'ada', name: 'Ada Lovelace' };
  browser = new Browser(auth.url);
});
afterEach(() => setClock(0));
afterAll(async () => {
  await Promise.all([auth?.close(), issuer?.close(), other?.close()]);
  removeFolders();
});

/** A refusal: 400, and nobody is signed in. */
async function refuses(path: string, by = browser) {
  const { status, cookies } = await by.ask(path);
  expect([status, cookies, await by.me]).toEqual([400, [], null]);
}

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

test('a person who says no comes back to the page, not signed in', async () => {
  const state = new URL((await browser.ask('/login?return=/p/1')).location).searchParams.get('state');
  const { status, location, cookies } = await browser.ask(`/login/callback?error=access_denied&state=${state}`);
  expect([status, location, cookies]).toEqual([303, '/p/1', []]);
  expect(await browser.me).toBeNull();
});

test('two tabs of a browser can sign in at the same time', async () => {
  const [first, second] = [await browser.toCallback(issuer, '/a'), await browser.toCallback(issuer, '/b')];
  expect((await browser.ask(first)).location).toBe('/a');
  expect((await browser.ask(second)).location).toBe('/b');
});

test('the same person has the same id each time; the same subject of another issuer is another person', async () => {
  await browser.signIn(issuer);
  const first = await browser.me;
  const again = new Browser(auth.url);
  issuer.user = { sub: 'ada', name: 'Countess Lovelace' };
  await again.signIn(issuer);
  expect(await again.me).toEqual({ id: first?.id, name: 'Countess Lovelace' });
  const elsewhere = await startAuth(other.url);
  const stranger = new Browser(elsewhere.url);
  await stranger.signIn(other);
  expect((await stranger.me)?.id).not.toBe(first?.id);
  await elsewhere.close();
});

describe('the answer of the issuer', () => {
  const seconds = () => Math.floor(Date.now() / 1_000);

  test.each<[string, () => FakeIssuer['lies']]>([
    ['has the nonce of another login', () => ({ claims: { nonce: 'x'.repeat(43) } })],
    ['has no nonce', () => ({ claims: { nonce: undefined } })],
    ['names another issuer', () => ({ claims: { iss: other.url } })],
    ['is for another client', () => ({ claims: { aud: 'another' } })],
    [
      'is for several clients, and authorizes another',
      () => ({ claims: { aud: [CLIENT.id, 'another'], azp: 'another' } }),
    ],
    ['has expired', () => ({ claims: { exp: seconds() - 60 } })],
    ['never expires', () => ({ claims: { exp: undefined } })],
    ['names nobody', () => ({ claims: { sub: undefined } })],
    ['is signed by another issuer', () => ({ sign: (claims) => sign(claims, other.keys.privateKey) })],
    [
      'is another issuer\u2019s',
      () => ({ sign: (claims) => sign({ ...claims, iss: other.url }, other.keys.privateKey) }),
    ],
    ['has no signature (alg: none)', () => ({ sign: (claims) => new UnsecuredJWT(claims).encode() })],
    [
      'is signed with the public key as a shared secret (HS256)',
      () => ({
        sign: (claims) => {
          const pem = issuer.keys.publicKey.export({ format: 'pem', type: 'spki' });
          return new SignJWT(claims).setProtectedHeader({ alg: 'HS256', kid: 'k1' }).sign(Buffer.from(pem));
        },
      }),
    ],
    [
      'is signed with the secret of the client (HS256)',
      () => ({
        sign: (claims) => new SignJWT(claims).setProtectedHeader({ alg: 'HS256' }).sign(Buffer.from(CLIENT.secret)),
      }),
    ],
    [
      'has one letter changed',
      () => ({ sign: async (claims, key) => (await sign(claims, key)).replace(/^([^.]+)\.(.)/, '$1.f') }),
    ],
  ])('is refused if its token %s', async (_, lies) => {
    const path = await browser.toCallback(issuer);
    issuer.lies = lies();
    await refuses(path);
  });

  test('is taken from an issuer whose clock is five minutes off, on either side', async () => {
    for (const off of [-300, 300]) {
      const path = await browser.toCallback(issuer);
      issuer.lies = { claims: { iat: seconds() + off, exp: seconds() + off + 3_600 } };
      expect((await browser.ask(path)).status).toBe(303);
    }
  });

  test('is refused if it says that it comes from another issuer (mix-up)', async () => {
    const path = await browser.toCallback(issuer);
    await refuses(path.replace(/iss=[^&]+/, `iss=${encodeURIComponent(other.url)}`));
    await refuses((await browser.toCallback(issuer)).replace(/&iss=[^&]+/, ''));
  });
});

describe('a login', () => {
  test('is refused with a wrong state, or none', async () => {
    const path = await browser.toCallback(issuer);
    await refuses(path.replace(/state=./, 'state=~'));
    await refuses(path.replace(/&state=[^&]+/, ''));
    await refuses(path.replace(/state=[^&]+/, 'state='));
    expect((await browser.ask(path)).status).toBe(303);
  });

  test('ends once: a code that is used again signs nobody in', async () => {
    const path = await browser.toCallback(issuer);
    const answers = await Promise.all([browser.ask(path), browser.ask(path), browser.ask(path)]);
    expect(answers.map(({ status }) => status).sort()).toEqual([303, 400, 400]);
    const thief = new Browser(auth.url);
    thief.cookies = new Map([...browser.cookies].filter(([name]) => name === '__Host-login'));
    await refuses(path, thief);
    // Nor in a login of its own.
    const code = /code=([^&]+)/.exec(path)?.[1] ?? '';
    await refuses((await thief.toCallback(issuer)).replace(/code=[^&]+/, `code=${code}`), thief);
  });

  test('takes no code that was given to another login (code injection)', async () => {
    const victim = await new Browser(auth.url).toCallback(issuer);
    const code = /code=([^&]+)/.exec(victim)?.[1] ?? '';
    await refuses((await browser.toCallback(issuer)).replace(/code=[^&]+/, `code=${code}`));
  });

  test('belongs to the browser that began it (login CSRF)', async () => {
    const attacker = new Browser(auth.url);
    const path = await attacker.toCallback(issuer);
    // The victim's browser has no login under way, or one of its own.
    await refuses(path);
    await browser.toCallback(issuer);
    await refuses(path);
    expect((await attacker.ask(path)).status).toBe(303);
  });

  test('is over after ten minutes', async () => {
    const path = await browser.toCallback(issuer);
    setClock(10 * 60_000);
    await refuses(path);
  });

  test('is one of ten thousand at most: the oldest go', async () => {
    const login = (i: number) => ({ state: `state-${i}`, nonce: 'n', verifier: 'v', returnTo: '/' });
    await auth.db.write((tx) => {
      for (let i = 0; i < 10_010; i++) beginLogin(tx, login(i), 'browser', Date.now() + i);
    });
    const rows = await auth.rows<{ state: string }>(
      "SELECT state FROM logins WHERE state LIKE 'state-%' ORDER BY expires",
    );
    expect([rows.length, rows[0]?.state]).toEqual([10_000, 'state-10']);
    setClock(11 * 60_000);
    await browser.ask('/login');
    expect(await auth.rows('SELECT state FROM logins')).toHaveLength(1);
  });
});

test.each([
  ['//evil.example'],
  ['///evil.example'],
  ['/\\evil.example'],
  ['\\\\evil.example'],
  ['\\/evil.example'],
  ['/\t/evil.example'],
  ['/\n/evil.example'],
  ['/\r\nLocation: http://evil.example'],
  ['\u0000/evil.example'],
  ['/p/1\u0000'],
  [' //evil.example'],
  ['/ /evil.example'],
  ['/./\\evil.example'],
  ['/.//evil.example'],
  ['/p/..//evil.example'],
  ['http://evil.example'],
  ['http:evil.example'],
  ['HTTPS:/evil.example'],
  ['javascript:alert(1)'],
  ['data:text/html,x'],
  ['@evil.example'],
  ['.evil.example'],
  ['evil.example'],
  ['?//evil.example'],
  ['/\u2028/evil.example'],
  ['/\u3002evil.example'],
  ['/\uff0f/evil.example'],
  ['/é'],
  [''],
  [`/${'x'.repeat(2_000)}`],
])('a return address that is no path of this blog is not followed: %j', async (path) => {
  const { location } = await browser.signIn(issuer, path);
  expect(location).toBe('/');
});

test.each([
  '/',
  '/p/1',
  '/p/1?cursor=a&b=%2F%2Fevil.example',
  '/system#x',
  '/@evil.example',
  '/%5Cevil.example',
  '/%09/a',
])('a path of this blog is returned to, and stays on its host: %s', async (path) => {
  const { location } = await browser.signIn(issuer, path);
  expect(location).toBe(path);
  expect(new URL(location, 'http://localhost:3000').host).toBe('localhost:3000');
});

test('a return address that is given twice is not followed', async () => {
  const { location } = await browser.ask('/login?return=/a&return=//evil.example');
  expect((await browser.ask(issuer.confirm(location))).location).toBe('/');
  expect(ownPath({ toString: () => '/a' })).toBe('/');
});

test.each<[string, unknown[], string]>([
  ['is trimmed', ['  Ada  '], 'Ada'],
  ['has no control characters', ['A\u0000d\u001ba\n\u0085L'], 'A d a L'],
  ['does not turn the direction of the text', ['Ada\u202eecalevoL\u2066'], 'Ada ecalevoL'],
  ['has no characters that nobody sees', ['A\u200bd\ufeffa'], 'A d a'],
  ['is not too long', ['🍊'.repeat(101)], '🍊'.repeat(100)],
  ['has no half of a pair', ['Ada\ud83c'], 'Ada\ufffd'],
  ['is the next one if it is empty', [' \u202e ', 'ada'], 'ada'],
  ['is the next one if it is no text', [{ toString: () => 'x' }, 'ada'], 'ada'],
  ['is said to be missing', [undefined, ''], 'No name'],
  ['stays what it is', ['Ana María O’Neill-中🍊'], 'Ana María O’Neill-中🍊'],
])('a name that the issuer sends %s', (_, given, name) => {
  expect(parseName(...given)).toBe(name);
});

test('a name that is not in the token is asked for; an address of mail is never shown', async () => {
  const path = await browser.toCallback(issuer);
  issuer.user = { sub: 'ada', name: 'Ada of the profile', email: 'ada@example.com' };
  issuer.lies = { claims: { name: undefined } };
  await browser.ask(path);
  expect((await browser.me)?.name).toBe('Ada of the profile');
  issuer.user = { sub: 'ada', email: 'ada@example.com' };
  await browser.signIn(issuer);
  expect((await browser.me)?.name).toBe('No name');
});

describe('an issuer that', () => {
  const degraded = async () => (await auth.http.get('/readyz')).body.degraded;

  test.each<[string, FakeIssuer['lies']['answer']]>([
    ['is away', (req) => req.socket.destroy()],
    ['answers 500', (_req, res) => res.writeHead(500).end('{}')],
    ['answers something else', (_req, res) => res.writeHead(200, { 'Content-Type': 'text/html' }).end('<html>')],
    [
      'breaks off its answer',
      (req, res) => {
        res.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': 9 });
        res.write('{', () => req.socket.destroy());
      },
    ],
    [
      'answers without an end',
      (_req, res) => {
        const goOn = () => void (res.write(' '.repeat(64 * 1024)) ? setImmediate(goOn) : res.once('drain', goOn));
        res.writeHead(200, { 'Content-Type': 'application/json' });
        goOn();
      },
    ],
  ])('%s makes sign-in 503, at its beginning and at its end, and nothing else', async (_, answer) => {
    const signedIn = new Browser(auth.url);
    await signedIn.signIn(issuer);
    const path = await browser.toCallback(issuer);
    issuer.lies = { answer };
    for (const address of ['/login', path]) {
      const { status, headers, json } = await browser.ask(address);
      expect([status, headers.get('retry-after')]).toEqual([503, '5']);
      expect(JSON.stringify(json)).not.toContain(issuer.url);
    }
    expect(await degraded()).toEqual([
      expect.stringMatching(
        `^The issuer ${issuer.url} does not answer as it should: ([A-Z_]+|its answer is too long)\\.$`,
      ),
    ]);
    expect(await signedIn.token()).toBeDefined();
    issuer.lies = {};
    expect((await browser.signIn(issuer)).status).toBe(303);
    expect(await degraded()).toEqual([]);
  });

  test('is away gives a browser a page to read, and a script the problem', async () => {
    issuer.lies = { answer: (req) => req.socket.destroy() };
    const ask = async (path: string) => {
      const answer = await fetch(auth.url + path, { headers: { accept: 'text/html,application/xhtml+xml,*/*;q=0.8' } });
      return [answer.status, answer.headers.get('content-type'), await answer.text()];
    };
    const page = (text: string) => expect.stringContaining(`<p>${text}`);
    expect(await ask('/login')).toEqual([503, 'text/html; charset=utf-8', page('Nobody can sign in at the moment')]);
    const callback = await ask('/login/callback?state=forged');
    expect(callback).toEqual([400, 'text/html; charset=utf-8', page('This browser has no such sign-in under way.')]);
    expect((await browser.ask('/login')).json).toMatchObject({ status: 503 });
  });

  test('does not answer is waited for by a hundred at most; those who are signed in go on', async () => {
    await browser.signIn(issuer);
    const held: IncomingMessage[] = [];
    issuer.lies = { answer: (req) => void held.push(req) };
    let refused = 0;
    const enough = Promise.withResolvers<void>();
    const logins = Array.from({ length: 150 }, async () => {
      const { status } = await new Browser(auth.url).ask('/login');
      expect(status).toBe(503);
      refused += 1;
      if (refused === 50) enough.resolve();
    });
    await enough.promise;
    expect(await browser.token()).toBeDefined();
    // The others still wait.
    expect(held.map(({ socket }) => socket.destroyed)).toEqual([false]);
    for (const { socket } of held) socket.destroy();
    await Promise.all(logins);
  });

  test('says that it is another one makes sign-in 503', async () => {
    const document = JSON.stringify({ issuer: other.url });
    issuer.lies = { answer: (_req, res) => res.writeHead(200, { 'Content-Type': 'application/json' }).end(document) };
    expect((await browser.ask('/login')).status).toBe(503);
  });

  test.each([undefined, 7, 'nonsense', 'javascript:alert(1)'])(
    'has %j for the address of its page makes sign-in 503',
    async (address) => {
      const document = JSON.stringify({ issuer: issuer.url, authorization_endpoint: address });
      issuer.lies = { answer: (_req, res) => res.writeHead(200, { 'Content-Type': 'application/json' }).end(document) };
      expect((await browser.ask('/login')).status).toBe(503);
      expect(await degraded()).toHaveLength(1);
    },
  );

  test('answers broken JSON is not quoted', async () => {
    issuer.lies = { answer: (_req, res) => res.writeHead(200, { 'Content-Type': 'application/json' }).end('{"secret') };
    expect((await browser.ask('/login')).status).toBe(503);
    expect(await degraded()).toEqual([expect.stringMatching(/: OAUTH_PARSE_ERROR\.$/)]);
  });

  test('does not know this client any more is a matter of the settings, not of the person: 503', async () => {
    const wrong = await startAuth(issuer.url, { env: { OIDC_CLIENT_SECRET: 'another' } });
    const person = new Browser(wrong.url);
    expect((await person.signIn(issuer)).status).toBe(503);
    await wrong.close();
  });

  test('is away at the start does not keep auth from starting', async () => {
    const early = await startAuth('http://localhost:9');
    expect((await new Browser(early.url).ask('/login')).status).toBe(503);
    expect((await early.http.get('/readyz')).status).toBe(200);
    await early.close();
  });
});

test.each([
  [{ OIDC_ISSUER: 'http://issuer.example' }, 'OIDC_ISSUER'],
  [{ OIDC_ISSUER: 'http://localhost.evil.example' }, 'OIDC_ISSUER'],
  [{ PUBLIC_URL: 'http://blog.example' }, 'PUBLIC_URL'],
  [{ OIDC_ISSUER: 'issuer.example' }, 'OIDC_ISSUER'],
  [{ PUBLIC_URL: 'blog' }, 'PUBLIC_URL'],
])('plain HTTP to another machine, and what is no address, is refused: %j', (env, name) => {
  const { error } = definition.settings.safeParse({ ...settingsOf(issuer.url), ...env });
  expect(error?.issues.map(({ path }) => path.join())).toEqual([name]);
});
