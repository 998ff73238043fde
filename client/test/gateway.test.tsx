/** @jest-environment node */
// The common behaviour of both gateways: the one in development (server/), and nginx with its production configuration.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { ASSET, ask, describeNginx, type Gateway, PAGE, send, startNginx, startParts, startVite } from './gateways.ts';

let parts: Awaited<ReturnType<typeof startParts>>;
beforeAll(async () => {
  parts = await startParts();
});
beforeEach(() => parts.reset());
afterAll(() => parts.close());

const gateways = [
  { name: 'Vite', start: startVite, describe },
  { name: 'nginx', start: startNginx, describe: describeNginx },
];

for (const { name, start, describe: describeGateway } of gateways) {
  describeGateway(name, () => {
    let gateway: Gateway;
    beforeAll(async () => {
      gateway = await start(parts.urls);
    });
    afterAll(() => gateway?.close());

    test.each([
      ['POST /posts', 'posts', 'POST /posts'],
      ['POST /posts?a=b', 'posts', 'POST /posts?a=b'],
      ['POST /posts/create', 'posts', 'POST /posts/create'],
      ['GET /posts?limit=2&cursor=a%2Fb', 'query', 'GET /posts?limit=2&cursor=a%2Fb'],
      ['GET /posts/a%2Fb?cursor=c', 'query', 'GET /posts/a%2Fb?cursor=c'],
      ['GET /posts/a:b,(c)%C3%A9%E2%82%AC%F0%9F%98%80', 'query', 'GET /posts/a:b,(c)%C3%A9%E2%82%AC%F0%9F%98%80'],
      ['GET /posts/..a?b=/../c?', 'query', 'GET /posts/..a?b=/../c?'],
      ['GET http://127.0.0.1:1/posts?a=b', 'query', 'GET /posts?a=b'],
      ['HEAD /posts', 'query', 'HEAD /posts'],
      ['GET /stream?after=x-1', 'query', 'GET /stream?after=x-1'],
      ['GET /posts/p/comments', 'comments', 'GET /posts/p/comments'],
      ['HEAD /posts/p/comments', 'comments', 'HEAD /posts/p/comments'],
      ['POST /posts/p/comments', 'comments', 'POST /posts/p/comments'],
      ['GET /api/system/subscriptions', 'event-bus', 'GET /subscriptions'],
      ['GET /api/system/dead-letters', 'event-bus', 'GET /dead-letters'],
      ['GET /api/system/log?before=9', 'event-bus', 'GET /events?before=9'],
      ['GET /api/system/log/stream', 'event-bus', 'GET /stream'],
      ['GET /api/system/log/12/deliveries', 'event-bus', 'GET /events/12/deliveries'],
    ])('%s goes to %s as %s', async (line, part, expected) => {
      expect((await ask(gateway.url, line)).status).toBe(200);
      expect(parts.seen.map((one) => [one.part, one.line])).toEqual([[part, expected]]);
    });

    test.each([
      ['/healthz', { status: 'ok', version: '1.0.0' }],
      ['/readyz', { status: 'ready', degraded: [] }],
    ])('%s is answered by the gateway', async (path, body) => {
      const { status, headers, text } = await ask(gateway.url, `GET ${path}`, { accept: 'text/html' });
      expect([status, headers['content-type'], headers['cache-control']]).toEqual([
        200,
        'application/json',
        'no-store',
      ]);
      expect(JSON.parse(text)).toEqual(body);
      expect((await ask(gateway.url, `HEAD ${path}`)).status).toBe(200);
      expect(parts.seen).toEqual([]);
    });

    const asDocument = { accept: 'text/html,application/xhtml+xml,*/*;q=0.8' };
    test.each([
      ['GET /', {}],
      ['GET /?from=x', {}],
      ['GET /system', {}],
      ['GET /p/a%2Fb', {}],
      ['GET /p/state', {}],
      ['GET /', { accept: 'application/json' }],
      ['GET /index.html', {}],
      ['GET http://127.0.0.1:1', {}],
      ['GET /unknown', asDocument],
      ['GET /posts/', asDocument],
    ])('%s with %j is the page', async (line, headers: Record<string, string>) => {
      const answer = await ask(gateway.url, line, headers);
      expect([answer.status, answer.text]).toEqual([200, PAGE]);
      expect(answer.headers['content-type']).toMatch(/^text\/html; ?charset=utf-8$/);
      expect(answer.headers['cache-control']).toBe('no-cache');
      expect(parts.seen).toEqual([]);
    });

    test('files of the page have their media types', async () => {
      const asset = await ask(gateway.url, 'GET /assets/index-abc.js?v=1');
      expect([asset.status, asset.text]).toEqual([200, ASSET]);
      expect(asset.headers['content-type']).toMatch(/^text\/javascript/);
      const icon = await ask(gateway.url, 'HEAD /icon.svg');
      expect(icon.headers).toMatchObject({ 'content-type': 'image/svg+xml', 'cache-control': 'no-cache' });
    });

    async function expectProblem(line: string, status: number, title: string, accept = 'text/html') {
      const answer = await ask(gateway.url, line, { accept });
      expect([answer.status, answer.headers['content-type']]).toEqual([status, 'application/problem+json']);
      expect(answer.headers['cache-control']).toBe('no-store');
      expect(JSON.parse(answer.text)).toEqual({ type: 'about:blank', title, status, detail: expect.any(String) });
      expect(parts.seen).toEqual([]);
      return answer;
    }

    test.each([
      'GET /events',
      'POST /events',
      'GET /metrics',
      'GET /EVENTS/',
      'GET /%65vents%2F',
      'GET //events',
      'GET /x/events',
      'GET /events?x=1',
      'GET http://127.0.0.1:1/events',
      'POST /posts/events',
      'GET /posts/events',
      'GET /posts/a%2fevents',
      'GET /posts/a%5cmetrics',
      'GET /api/system/parts/elsewhere',
      'GET /api/system/log/x/deliveries',
      'GET /api/system/log/verify',
      'GET /api/system/events',
      'GET /api/unknown',
      'GET /api/state',
      'GET /api/internal/request',
      'GET /api/internal/ask?http://127.0.0.1:1/',
      'GET /api/internal/problem',
      'POST /unknown',
      'PUT /assets/index-abc.js',
      'POST /api/system/subscriptions/query/pause',
      'POST /api/system/subscriptions/query/resume',
      'POST /api/system/subscriptions/query/skip',
      'POST /api/system/subscriptions/query/replay',
      'POST /api/system/dead-letters/7/redeliver',
      'DELETE /api/system/dead-letters/7',
      'DELETE /api/system/subscriptions/posts-1',
      'GET /api/system/subscriptions/query/pause',
      'PUT /api/system/dead-letters/7',
    ])('%s reaches no part and is 404, from any client', (line) => expectProblem(line, 404, 'Not Found'));

    test.each([
      'GET /unknown',
      'GET /assets/missing.js',
      'GET /assets/',
      'GET /posts/',
      'GET /docs',
      'GET /docs/docs.js',
    ])('%s is 404 for a script, not the page', async (line) => {
      expect((await ask(gateway.url, line, { accept: '*/*' })).status).toBe(404);
      expect(parts.seen).toEqual([]);
    });

    test.each([
      'GET /../events',
      'GET /posts/%2e%2e/events',
      'GET /posts/../events',
      'GET /posts/..%2fevents',
      'GET /posts/x%5c..',
      'GET /posts/%2E%2E',
      'GET /posts/%2e/comments',
      'GET /posts/%zz',
      'GET /posts/%4',
      'GET /posts/%ff',
      'GET /posts/%c3',
      'GET /posts/%c0%af',
      'GET /posts/%e0%9f%bf',
      'GET /posts/%ed%a0%80',
      'GET /posts/%f0%8f%bf%bf',
      'GET /posts/%f4%90%80%80',
      'GET /posts/%f5%80%80%80',
      'GET /posts/a%00',
      'GET /posts/a"b',
      'GET /posts/a\\b',
      'GET /posts/a#b',
      'GET /posts?a#b',
    ])('%s is malformed, and 400', (line) => expectProblem(line, 400, 'Bad Request'));

    test.each([
      ['DELETE /posts', 'POST, GET, HEAD'],
      ['PUT /posts/create', 'POST, GET, HEAD'],
      ['POST /posts/p', 'GET, HEAD'],
      ['POST /stream', 'GET, HEAD'],
      ['PUT /posts/p/comments', 'GET, HEAD, POST'],
      ['POST /healthz', 'GET, HEAD'],
      ['POST /api/system/log', 'GET, HEAD'],
      ['DELETE /', 'GET, HEAD'],
      ['POST /system', 'GET, HEAD'],
      ['POST /p/x', 'GET, HEAD'],
      ['PUT /api/system/state', 'GET, HEAD'],
      ['PUT /api/system/subscriptions', 'GET, HEAD'],
      ['PATCH /api/system/log/12/deliveries', 'GET, HEAD'],
      ['OPTIONS /posts', 'POST, GET, HEAD'],
    ])('%s is 405 and names the allowed methods', async (line, allow) => {
      const { headers, text } = await expectProblem(line, 405, 'Method Not Allowed');
      expect(headers.allow).toBe(allow);
      expect(JSON.parse(text).detail).toBe(`Only ${allow} can be used here.`);
    });

    const TRACEPARENT = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

    test('body, key, trace and answer pass unchanged; origin, authorization and hop-by-hop headers do not', async () => {
      const long = 'x'.repeat(10_000);
      parts.handle = (_req, res) => {
        res.writeHead(201, { Location: '/posts/1', 'X-Kept': long, 'Cache-Control': 'private' });
        res.end('{"id":"1"}');
      };
      const headers = {
        'content-type': 'application/json',
        'idempotency-key': 'k',
        traceparent: TRACEPARENT,
        origin: gateway.url,
        authorization: 'Bearer 0123456789abcdef',
        te: 'trailers',
      };
      const forged = { 'x-forwarded-for': '192.0.2.1' };
      const answer = await ask(gateway.url, 'POST /posts', { ...headers, ...forged }, '{"title":"T"}');
      expect(answer).toMatchObject({
        status: 201,
        text: '{"id":"1"}',
        headers: { location: '/posts/1', 'x-kept': long, 'cache-control': 'private' },
      });
      expect(parts.seen[0]).toMatchObject({
        body: '{"title":"T"}',
        headers: {
          'content-type': 'application/json',
          'idempotency-key': 'k',
          traceparent: TRACEPARENT,
          host: new URL(parts.urls.posts).host,
          'x-forwarded-for': '127.0.0.1',
        },
      });
      for (const header of ['origin', 'authorization', 'te']) expect(parts.seen[0]?.headers[header]).toBeUndefined();
    });

    test.each(['POST /posts', 'POST /posts/create', 'POST /posts/p/comments', 'DELETE /posts', 'POST /nothing'])(
      '%s is 403 from a page of another origin, and reaches nothing',
      async (line) => {
        const { host, port } = new URL(gateway.url);
        const others = ['http://evil.example', 'null', `http://127.0.0.1:${port}0`, `http://localhost:${port}`];
        for (const origin of [...others, `http://${host}.evil.example`, `http://evil.example/${host}`, host]) {
          const { status, headers, text } = await ask(
            gateway.url,
            line,
            { origin },
            line.startsWith('POST') ? '{}' : undefined,
          );
          expect([origin, status, headers['content-type']]).toEqual([origin, 403, 'application/problem+json']);
          expect(JSON.parse(text)).toMatchObject({ title: 'Forbidden', status: 403, detail: expect.any(String) });
        }
        expect(parts.seen).toEqual([]);
      },
    );

    test('a request from the page itself is allowed, with any scheme and any spelling of the host', async () => {
      const { host } = new URL(gateway.url);
      for (const headers of [
        { origin: `http://${host}` },
        { origin: `https://${host}` },
        { origin: 'https://blog.localhost', host: 'blog.localhost' },
        { origin: 'http://blog.localhost:3000', host: 'Blog.Localhost:3000' },
      ] as Record<string, string>[]) {
        expect((await ask(gateway.url, 'POST /posts', headers, '{}')).status).toBe(200);
      }
      expect(parts.seen).toHaveLength(4);
    });

    test('requests that only read are allowed from every origin, but without CORS headers no page sees the answer', async () => {
      const { status, headers } = await ask(gateway.url, 'GET /posts', { origin: 'http://evil.example' });
      expect(status).toBe(200);
      expect(headers).not.toHaveProperty('access-control-allow-origin');
    });

    test('a redirect is passed on, not followed', async () => {
      parts.handle = (_req, res) => res.writeHead(302, { Location: `${parts.urls.moderation}/events` }).end();
      const { status, headers } = await ask(gateway.url, 'GET /posts');
      expect([status, headers.location]).toEqual([302, `${parts.urls.moderation}/events`]);
      expect(parts.seen).toHaveLength(1);
    });

    const stateOf = async (url: string) => {
      const { status, headers, text } = await ask(url, 'GET /api/system/state', {
        'if-none-match': '"x"',
        range: 'bytes=0-1',
      });
      expect([status, headers['content-type'], headers['cache-control']]).toEqual([
        200,
        'application/x-ndjson',
        'no-store',
      ]);
      return text.trim().split('\n').sort();
    };
    const CLIENT = '{"name":"client","state":{"status":"ready","degraded":[],"control":false}}';

    test('the states of all parts come in one answer, whatever the status of each', async () => {
      parts.handle = (req, res) => {
        const isBus = req.url === '/subscriptions';
        res.writeHead(isBus ? 200 : 503).end(isBus ? '[{"name":"query"}]' : '{"status":"starting"}');
      };
      const state = ['comments', 'event-bus', 'moderation', 'posts', 'query'].map(
        (name) => `{"name":"${name}","state":{"status":"starting"}}`,
      );
      expect(await stateOf(gateway.url)).toEqual([
        CLIENT,
        ...state,
        '{"name":"subscriptions","state":[{"name":"query"}]}',
      ]);
      expect(parts.seen.map(({ line }) => line).sort()).toEqual([
        ...Array(5).fill('GET /readyz'),
        'GET /subscriptions',
      ]);
      for (const { headers } of parts.seen) expect(headers).not.toHaveProperty('if-none-match');
      expect((await ask(gateway.url, 'HEAD /api/system/state')).status).toBe(200);
    });

    test('a part that is away, hangs, dies, or is not one of ours leaves the states of the others as they are', async () => {
      await parts.stop('posts');
      const [comments, query, moderation] = ['comments', 'query', 'moderation'] as const;
      parts.handle = (req, res) => {
        const { part } = parts.seen.findLast(({ headers }) => headers.host === req.headers.host) ?? {};
        if (part === comments) return; // hangs
        if (part === query) return req.socket.destroy();
        const ssi = '<!--# include virtual="/healthz" -->';
        if (part === moderation)
          res.writeHead(200, { 'content-type': 'text/html' }).end(`<p>\n${ssi}\n${CLIENT}\n</p>`);
        else if (req.url === '/readyz') res.writeHead(404, { 'content-type': 'text/html' }).end('<p>no</p>');
        else res.writeHead(200, { 'content-type': 'application/x-ndjson' }).end(`["${ssi.replaceAll('"', '')}",\n1]`);
      };
      const began = performance.now();
      const lines = await stateOf(gateway.url);
      expect(performance.now() - began).toBeLessThan(9_500);
      expect(lines).toEqual([
        CLIENT,
        '{"name":"comments","state":null}',
        expect.stringMatching(/^{"name":"event-bus","state":/),
        expect.stringMatching(/^{"name":"moderation","state":/),
        '{"name":"posts","state":null}',
        '{"name":"query","state":null}',
        expect.stringMatching(/^{"name":"subscriptions","state":/),
      ]);
      for (const foreign of [2, 3]) expect(() => JSON.parse(lines[foreign] ?? '')).toThrow();
      expect(JSON.parse(lines[6] ?? '').state).toEqual(['<!--# include virtual=/healthz -->', 1]);
    });

    test.each([400, 404, 405, 413, 429, 500, 502, 503, 504, 507])(
      "a part's own %i passes unchanged",
      async (status) => {
        parts.handle = (_req, res) => {
          res.writeHead(status, { 'Content-Type': 'application/problem+json', 'Retry-After': '7', Allow: 'X' });
          res.end('{"detail":"mine"}');
        };
        const answer = await ask(gateway.url, 'GET /posts');
        expect([answer.status, answer.text]).toEqual([status, '{"detail":"mine"}']);
        expect([answer.headers['retry-after'], answer.headers.allow]).toEqual(['7', 'X']);
        expect(answer.raw.filter((header) => /^(retry-after|allow|cache-control)$/i.test(header))).toHaveLength(2);
      },
    );

    test('an unexpected body does not reach the part', async () => {
      const smuggled = 'GET /events HTTP/1.1\r\nHost: x\r\n\r\n';
      for (const method of ['GET', 'HEAD']) {
        await ask(gateway.url, `${method} /posts`, { 'transfer-encoding': 'chunked' }, smuggled);
        await ask(gateway.url, `${method} /posts`, { 'content-length': `${smuggled.length}` }, smuggled);
      }
      expect(parts.seen.filter(({ line, body }) => body !== '' || line.includes('events'))).toEqual([]);
    });

    test.each([
      'POST /posts HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /events',
      'POST /posts HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcde',
      'POST /posts HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZ\r\n\r\n',
      'GET /posts HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZ\r\n\r\n',
      'POST /posts HTTP/1.1\r\nHost: x\r\nContent-Length : 4\r\n\r\nabcd',
    ])('an ambiguously framed request never reaches a part complete: %j', async (text) => {
      expect(await send(gateway.url, text)).toMatch(/^HTTP\/1\.1 400 /);
      expect(parts.seen).toEqual([]);
    });

    test('a client that offers HTTP/2 is answered in HTTP/1.1, and the offer is not passed on', async () => {
      const offer = 'Connection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__';
      const write = `POST /posts HTTP/1.1\r\nHost: x\r\n${offer}\r\nContent-Length: 2\r\n\r\n{}`;
      expect(await send(gateway.url, `GET /posts HTTP/1.1\r\nHost: x\r\n${offer}\r\n\r\n`)).toMatch(/^HTTP\/1\.1 200 /);
      expect(await send(gateway.url, write)).toMatch(/^HTTP\/1\.1 200 /);
      expect(parts.seen.map(({ part, body }) => [part, body])).toEqual([
        ['query', ''],
        ['posts', '{}'],
      ]);
      for (const { headers } of parts.seen) expect(headers.upgrade).toBeUndefined();
    });

    test('HEAD of a stream ends', async () => {
      parts.handle = (_req, res) => res.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders();
      for (const path of ['/stream', '/api/system/log/stream']) {
        expect(await ask(gateway.url, `HEAD ${path}`)).toMatchObject({ status: 200, text: '' });
      }
    });

    test('a part that dies before it answers is a 503 that says when to try again; a write is not repeated', async () => {
      parts.handle = (req) => req.socket.destroy();
      const answer = await ask(gateway.url, 'POST /posts', {}, '{}');
      expect(answer.status).toBe(503);
      expect(answer.headers).toMatchObject({ 'retry-after': '1', 'content-type': 'application/problem+json' });
      expect(JSON.parse(answer.text)).toEqual({
        type: 'about:blank',
        title: 'Service Unavailable',
        status: 503,
        detail: 'posts is not answering. Try again in a moment.',
      });
      expect(parts.seen).toHaveLength(1);
    });

    test('a part that is away is a 503, and works again as soon as it is back', async () => {
      expect((await ask(gateway.url, 'GET /posts')).text).toBe('query');
      await parts.stop('query');
      const away = await ask(gateway.url, 'GET /posts');
      expect([away.status, away.headers['retry-after']]).toEqual([503, '1']);
      expect(away.text).not.toContain(new URL(parts.urls.query).port);
      await parts.restart();
      expect((await ask(gateway.url, 'GET /posts')).text).toBe('query');
    });

    test('a part that dies in the middle of its answer ends the connection', async () => {
      for (const head of [{ 'content-length': '100' }, {}]) {
        parts.handle = (req, res) => {
          res.writeHead(200, head).write('half');
          setImmediate(() => req.socket.destroy());
        };
        await expect(ask(gateway.url, 'GET /posts')).rejects.toThrow();
      }
    });

    test('a request to a part is ended when its client disconnects before the answer', async () => {
      const reader = new AbortController();
      const gone = new Promise<void>((resolve) => {
        parts.handle = (_req, res) => {
          res.on('close', resolve);
          reader.abort();
        };
      });
      await expect(fetch(`${gateway.url}/posts`, { signal: reader.signal })).rejects.toThrow();
      await gone;
    });

    test.each(['/stream', '/api/system/log/stream'])(
      '%s passes message by message, not compressed, and ends at the part when its reader leaves',
      async (path) => {
        let more: () => void = () => undefined;
        const gone = new Promise<void>((resolve) => {
          parts.handle = (_req, res) => {
            res.on('close', resolve);
            res.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: 1\n\n');
            more = () => res.write('data: 2\n\n');
          };
        });
        const signal = new AbortController();
        const headers = { 'accept-encoding': 'gzip' };
        const response = await fetch(gateway.url + path, { signal: signal.signal, headers });
        expect(response.headers.get('content-encoding')).toBeNull();
        const reader = response.body?.getReader();
        const next = async () => new TextDecoder().decode((await reader?.read())?.value);
        expect(await next()).toBe('data: 1\n\n');
        more();
        expect(await next()).toBe('data: 2\n\n');
        signal.abort();
        await gone;
      },
    );

    test('every kind of answer has each security header once', async () => {
      parts.handle = (req, res) => {
        const status = req.url === '/posts/away' ? 503 : 200;
        res.writeHead(status, { 'content-type': 'application/json', 'x-content-type-options': 'nosniff' }).end('{}');
      };
      await parts.stop('comments');
      for (const [line, status] of [
        ['GET /', 200],
        ['GET /assets/index-abc.js', 200],
        ['GET /healthz', 200],
        ['GET /posts', 200],
        ['HEAD /posts', 200],
        ['POST /posts', 200],
        ['GET /stream', 200],
        ['GET /posts/away', 503],
        ['GET /posts/x/comments', 503],
        ['GET /unknown', 404],
        ['GET /events', 404],
        ['PUT /posts', 405],
        ['GET /%zz', 400],
      ] as const) {
        const answer = await ask(gateway.url, line);
        expect([line, answer.status]).toEqual([line, status]);
        expectSecurityHeaders(answer.raw);
      }
    });
  });
}

function expectSecurityHeaders(raw: string[]) {
  const all = raw.flatMap((header, i) => (i % 2 === 0 ? [[header.toLowerCase(), raw[i + 1]]] : []));
  const values = (name: string) => all.filter(([one]) => one === name).map(([, value]) => value);
  expect(values('content-security-policy')).toEqual([expect.stringMatching(/^default-src 'none'; script-src 'self';/)]);
  expect(values('content-security-policy')[0]).toContain("frame-ancestors 'none'");
  expect(values('content-security-policy')[0]).not.toContain('unsafe');
  expect(values('x-content-type-options')).toEqual(['nosniff']);
  expect(values('referrer-policy')).toEqual(['no-referrer']);
  expect(values('permissions-policy')).toEqual([expect.stringContaining('camera=()')]);
}
