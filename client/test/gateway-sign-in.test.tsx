/** @jest-environment node */
// Sign-in at both gateways: what goes to auth, writes that are checked there first, and what no part ever gets.
import type { RequestListener } from 'node:http';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { problemPage } from '../../common/src/http/problem.ts';
import { ask, describeNginx, type Gateway, listen, PAGE, startNginx, startParts, startVite } from './gateways.ts';

const SESSION = '__Host-session=abc; other=1';
const TRACEPARENT = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

/** A fake of auth: the session `abc` is Ada's. */
const answer: RequestListener = (req, res) => {
  const { pathname, searchParams } = new URL(req.url ?? '', 'http://auth');
  if (pathname !== '/token') {
    const headers = { location: 'http://issuer.example/auth', 'set-cookie': '__Host-login=x; Path=/' };
    return void res.writeHead(pathname === '/login' ? 302 : 200, headers).end(`auth: ${req.method} ${req.url}`);
  }
  if (req.headers.cookie !== SESSION) return void res.writeHead(401, { 'www-authenticate': 'Bearer' }).end('{}');
  res.writeHead(204, { authorization: `Bearer token-for-${searchParams.get('audience')}` }).end();
};

let parts: Awaited<ReturnType<typeof startParts>>;
let auth: Awaited<ReturnType<typeof listen>>;
let asked: { line: string; headers: Record<string, unknown> }[];
let fake: RequestListener;
beforeAll(async () => {
  parts = await startParts();
  auth = await listen((req, res) => {
    asked.push({ line: `${req.method} ${req.url}`, headers: req.headers });
    fake(req, res);
  });
});
beforeEach(async () => {
  await parts.reset();
  asked = [];
  fake = answer;
});
afterAll(() => Promise.all([parts.close(), auth.close()]));

const WRITES = [
  ['POST /posts', 'posts'],
  ['POST /posts/create', 'posts'],
  ['POST /posts/p/comments', 'comments'],
] as const;
const gateways = [
  { name: 'Vite', start: startVite, describe },
  { name: 'nginx', start: startNginx, describe: describeNginx },
];

for (const { name, start, describe: describeGateway } of gateways) {
  describeGateway(`${name}, with AUTH_URL`, () => {
    let gateway: Gateway;
    beforeAll(async () => {
      gateway = await start(parts.urls, { AUTH_URL: auth.url });
    });
    afterAll(() => gateway?.close());

    const problemOf = async (line: string, headers: Record<string, string> = {}) => {
      const {
        status,
        headers: answered,
        text,
      } = await ask(gateway.url, line, headers, line.startsWith('POST') ? '{}' : undefined);
      expect([answered['content-type'], answered['cache-control']]).toEqual(['application/problem+json', 'no-store']);
      expect(JSON.parse(text)).toMatchObject({ type: 'about:blank', status });
      return { ...answered, status, ...JSON.parse(text) };
    };

    test.each(['GET /login?return=/p/1', 'GET /login/callback?code=a&state=b', 'GET /me', 'POST /logout'])(
      '%s goes to auth with its cookie, and comes back with its own',
      async (line) => {
        const { status, headers, text } = await ask(gateway.url, line, { cookie: SESSION, authorization: 'Bearer x' });
        expect([status, text]).toEqual([line.startsWith('GET /login?') ? 302 : 200, `auth: ${line}`]);
        expect(headers).toMatchObject({
          location: 'http://issuer.example/auth',
          'set-cookie': ['__Host-login=x; Path=/'],
        });
        expect(asked).toMatchObject([{ line, headers: { cookie: SESSION, host: new URL(auth.url).host } }]);
        expect(asked[0]?.headers).not.toHaveProperty('authorization');
        expect(parts.seen).toEqual([]);
      },
    );

    test.each(['GET /token?audience=posts', 'GET /jwks', 'POST /token', 'GET /login/other', 'GET /login/callback/'])(
      '%s is internal, and 404',
      async (line) => {
        expect((await ask(gateway.url, line, { cookie: SESSION })).status).toBe(404);
        expect(asked).toEqual([]);
      },
    );

    test.each([
      ['POST /login', 'GET, HEAD'],
      ['DELETE /me', 'GET, HEAD'],
      ['GET /logout', 'POST'],
    ])('%s is 405', async (line, allow) => {
      const answer = await ask(gateway.url, line);
      expect([answer.status, answer.headers.allow]).toEqual([405, allow]);
      expect(asked).toEqual([]);
    });

    test.each(['POST /logout', 'POST /posts'])('%s is 403 from a page of another origin', async (line) => {
      expect(await problemOf(line, { cookie: SESSION, origin: 'http://evil.example' })).toMatchObject({ status: 403 });
      expect([asked, parts.seen]).toEqual([[], []]);
    });

    test.each(WRITES)('%s reaches its part with a token for %s, never with the cookie', async (line, part) => {
      const headers = { cookie: SESSION, authorization: 'Bearer forged', traceparent: TRACEPARENT };
      const { status, text } = await ask(gateway.url, line, headers, '{"title":"T"}');
      expect([status, text]).toEqual([200, part]);
      expect(asked).toMatchObject([
        { line: `GET /token?audience=${part}`, headers: { cookie: SESSION, traceparent: TRACEPARENT } },
      ]);
      expect(parts.seen).toMatchObject([{ part, line, body: '{"title":"T"}' }]);
      expect(parts.seen[0]?.headers.authorization).toBe(`Bearer token-for-${part}`);
      expect(parts.seen[0]?.headers).not.toHaveProperty('cookie');
    });

    test.each(WRITES)('%s is 401 without a session, and reaches no part', async (line, _part) => {
      for (const headers of [{}, { cookie: '__Host-session=other' }, { authorization: 'Bearer token-for-posts' }]) {
        const answer = await problemOf(line, headers as Record<string, string>);
        expect(answer).toMatchObject({ status: 401, title: 'Unauthorized', 'www-authenticate': 'Bearer' });
        expect(answer.detail).toMatch(/^Sign in/);
      }
      expect(parts.seen).toEqual([]);
    });

    test('reading asks nothing of auth, and gives a part neither cookie nor token', async () => {
      for (const line of [
        'GET /posts',
        'GET /posts/p',
        'GET /posts/p/comments',
        'GET /stream',
        'GET /api/system/log',
      ]) {
        expect((await ask(gateway.url, line, { cookie: SESSION, authorization: 'Bearer x' })).status).toBe(200);
      }
      expect(parts.seen).toHaveLength(5);
      for (const { headers } of parts.seen) expect(Object.keys(headers)).not.toContain('authorization');
      for (const { headers } of parts.seen) expect(Object.keys(headers)).not.toContain('cookie');
      expect(asked).toEqual([]);
    });

    test.each<[string, RequestListener]>([
      ['ends before it answers', (req) => req.socket.destroy()],
      ['fails', (_req, res) => res.writeHead(500).end()],
      ['refuses more for now', (_req, res) => res.writeHead(503, { 'retry-after': '9' }).end()],
      ['is another service', (_req, res) => res.writeHead(404).end()],
      ['is behind something that forbids it', (_req, res) => res.writeHead(403).end()],
    ])('auth that %s: a write is 503 and says when to try again, and reading goes on', async (_what, listener) => {
      fake = listener;
      const answer = await problemOf('POST /posts', { cookie: SESSION });
      expect(answer).toMatchObject({ status: 503, 'retry-after': '1' });
      expect(answer.detail).toBe('auth is not answering. Try again in a moment.');
      expect(parts.seen).toEqual([]);
      expect((await ask(gateway.url, 'GET /posts', { cookie: SESSION })).status).toBe(200);
    });

    test('auth that does not answer: signing in is 503', async () => {
      fake = (req) => req.socket.destroy();
      const answer = await problemOf('GET /login');
      expect(answer).toMatchObject({ status: 503, 'retry-after': '1' });
      expect(answer.detail).toMatch(/^auth is not answering/);
    });

    test('auth that does not answer: a browser that goes there gets a page to read, and a script the problem', async () => {
      fake = (req) => req.socket.destroy();
      const accept = 'text/html,application/xhtml+xml,*/*;q=0.8';
      const { status, headers, text } = await ask(gateway.url, 'GET /login?return=/', { accept });
      expect([status, headers['content-type'], headers['retry-after'], headers['cache-control']]).toEqual([
        503,
        'text/html; charset=utf-8',
        '1',
        'no-store',
      ]);
      expect(text).toBe(problemPage('auth is not answering. Try again in a moment.'));
      expect(await problemOf('GET /me', { accept: 'application/json, text/plain, */*' })).toMatchObject({
        status: 503,
      });
    });

    test("a part's own 401 and 403 pass unchanged, and one that is away is named", async () => {
      for (const status of [401, 403]) {
        parts.handle = (_req, res) => res.writeHead(status).end('mine');
        const answer = await ask(gateway.url, 'POST /posts', { cookie: SESSION }, '{}');
        expect([answer.status, answer.text]).toEqual([status, 'mine']);
      }
      await parts.stop('posts');
      const away = await problemOf('POST /posts', { cookie: SESSION });
      expect(away).toMatchObject({ status: 503, detail: 'posts is not answering. Try again in a moment.' });
    });

    test('the page is told that there is sign-in, also a browser that has the page from before', async () => {
      const old = { 'if-none-match': 'W/"34-1"', 'if-modified-since': 'Fri, 01 Jan 2100 00:00:00 GMT' };
      for (const line of ['GET /', 'GET /p/1', 'GET /index.html?x']) {
        const { status, headers, text } = await ask(gateway.url, line, old);
        expect([status, headers['content-type'], headers['cache-control']]).toEqual([
          200,
          expect.stringMatching(/^text\/html; ?charset=utf-8$/),
          'no-cache',
        ]);
        expect(text).toBe(PAGE.replace('<title>', '<meta name="sign-in" content="/login"><title>'));
      }
    });
  });

  describeGateway(`${name}, without AUTH_URL`, () => {
    let gateway: Gateway;
    beforeAll(async () => {
      gateway = await start(parts.urls);
    });
    afterAll(() => gateway?.close());

    test.each(['GET /login', 'GET /login/callback', 'GET /me', 'POST /logout', 'GET /token'])(
      '%s is 404',
      async (line) => {
        expect((await ask(gateway.url, line)).status).toBe(404);
      },
    );

    test('writes need no session, and the page is as it was built', async () => {
      expect((await ask(gateway.url, 'POST /posts', { cookie: SESSION }, '{}')).text).toBe('posts');
      expect(parts.seen[0]?.headers).not.toHaveProperty('cookie');
      expect((await ask(gateway.url, 'GET /')).text).toBe(PAGE);
    });
  });
}
