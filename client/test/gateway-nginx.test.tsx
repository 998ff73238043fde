/** @jest-environment node */
// Features of nginx, the gateway in production, alone: limits, compression, names, settings, graceful shutdown.
import { spawnSync } from 'node:child_process';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { parseTraceparent, traceIdOf } from '@blog/common/core/events.ts';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { until } from '../../e2e/lib/http.ts';
import {
  ASSET,
  ask,
  CONF,
  describeNginx,
  type Gateway,
  listen,
  PAGE,
  SCRIPT,
  send,
  settingsFor,
  startNginx,
  startParts,
} from './gateways.ts';

let parts: Awaited<ReturnType<typeof startParts>>;
const opened: { close: () => unknown }[] = [];
beforeAll(async () => {
  parts = await startParts();
});
beforeEach(() => parts.reset());
afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one.close();
});
afterAll(() => parts.close());

/** Closes a resource at the end of the test. */
async function open<T extends { close: () => unknown }>(opening: Promise<T>): Promise<T> {
  const one = await opening;
  opened.push(one);
  return one;
}
const start = (settings?: NodeJS.ProcessEnv, urls = parts.urls, resolvConf?: string) =>
  open(startNginx(urls, settings, resolvConf));

const TRACEPARENT = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
const linesOf = (gateway: { log: () => string }) =>
  gateway
    .log()
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line));

function expectProblem({ status, headers, text }: Awaited<ReturnType<typeof ask>>, expected: object) {
  expect(headers['content-type']).toBe('application/problem+json');
  expect(headers['content-security-policy']).toBeDefined();
  expect(JSON.parse(text)).toMatchObject({ type: 'about:blank', status, ...expected });
}

describeNginx('nginx: limits', () => {
  const ten = (gateway: Gateway, line: string, headers: (i: number) => Record<string, string> = () => ({})) =>
    Promise.all(Array.from({ length: 10 }, (_, i) => ask(gateway.url, line, headers(i))));
  const statuses = (answers: { status?: number }[]) => answers.map(({ status }) => status).sort();
  // One request within the rate, two in the burst, and some that a slow machine may let through meanwhile.
  const limited = [200, 200, 200, ...Array(5).fill(expect.any(Number)), 429, 429];

  test('too many writes from one address are 429 with Retry-After, and do not concern its reads', async () => {
    const gateway = await start({ RATE_WRITES: '1' });
    const answers = await ten(gateway, 'POST /posts');
    expect(statuses(answers)).toEqual(limited);
    const refused = answers.find(({ status }) => status === 429);
    expect(refused?.headers['retry-after']).toBe('1');
    if (refused) expectProblem(refused, { title: 'Too Many Requests', status: 429 });
    expect(parts.seen).toHaveLength(answers.filter(({ status }) => status === 200).length);
    expect(statuses(await ten(gateway, 'GET /posts'))).toEqual(Array(10).fill(200));
  });

  test('too many reads from one address are 429, the page among them; probes are not counted', async () => {
    const gateway = await start({ RATE_READS: '1' });
    expect(statuses(await ten(gateway, 'GET /'))).toEqual(limited);
    expect(statuses(await ten(gateway, 'GET /healthz'))).toEqual(Array(10).fill(200));
    expect(statuses(await ten(gateway, 'GET /readyz'))).toEqual(Array(10).fill(200));
    expect(statuses(await ten(gateway, 'POST /posts'))).toEqual(Array(10).fill(200));
  });

  test('a client does not escape the limit by claiming another address', async () => {
    const gateway = await start({ RATE_WRITES: '1' });
    const named = (i: number) => ({ 'x-forwarded-for': `192.0.2.${i}` });
    expect(statuses(await ten(gateway, 'POST /posts', named))).toEqual(limited);
  });

  test('behind a trusted proxy each client has its own limit, and it is the last address that counts', async () => {
    const gateway = await start({ RATE_WRITES: '1', TRUSTED_PROXIES: '10.0.0.0/8,127.0.0.1,fd00::/8' });
    const named = (i: number) => ({ 'x-forwarded-for': `192.0.2.${i}, 10.1.1.1` });
    expect(statuses(await ten(gateway, 'POST /posts', named))).toEqual(Array(10).fill(200));
    expect(parts.seen[0]?.headers['x-forwarded-for']).toMatch(/^192\.0\.2\.\d$/);
    const forged = (i: number) => ({ 'x-forwarded-for': `192.0.2.${i}, 198.51.100.1` });
    expect(statuses(await ten(gateway, 'POST /posts', forged))).toEqual(limited);
  });

  test.each(['http://localhost:9428', 'https://logs.example/store/'])(
    'the page learns of a log store at %s',
    async (url) => {
      const { text } = await ask((await start({ LOGS_URL: url })).url, 'GET /api/system/state');
      const state = { status: 'ready', degraded: [], control: false, logs: url };
      expect(text.split('\n')[0]).toBe(JSON.stringify({ name: 'client', state }));
    },
  );

  test('one address may open only so many streams, independently of others, and another one after one was closed', async () => {
    const gateway = await start({ STREAMS: '2', TRUSTED_PROXIES: '127.0.0.1' });
    parts.handle = (req, res) => {
      if (req.url?.startsWith('/stream'))
        res.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: 1\n\n');
      else res.end('{}');
    };
    const readers: AbortController[] = [];
    // An answer that is not kept may be collected as garbage, and its stream ends.
    const answers: Response[] = [];
    const stream = async (address: string, path = '/stream') => {
      const reader = new AbortController();
      readers.push(reader);
      const headers = { 'x-forwarded-for': address };
      const answer = await fetch(gateway.url + path, { headers, signal: reader.signal });
      answers.push(answer);
      if (answer.status === 200) return 200;
      return [answer.status, answer.headers.get('retry-after'), (await answer.json()).status];
    };
    const crowd = '192.0.2.1';
    expect(await stream(crowd)).toBe(200);
    expect(await stream(crowd, '/api/system/log/stream')).toBe(200);
    expect(await stream(crowd)).toEqual([429, '1', 429]);
    expect(await stream('192.0.2.2')).toBe(200);
    expect((await ask(gateway.url, 'GET /posts', { 'x-forwarded-for': crowd })).status).toBe(200);
    readers[0]?.abort();
    await until('there is room again', async () => (await stream(crowd)) === 200);
    for (const reader of readers) reader.abort();
  });

  test('a connection whose headers do not come is closed in seconds', async () => {
    const gateway = await start();
    const began = performance.now();
    await send(gateway.url, 'GET / HTTP/1.1\r\nHost: x\r\n');
    expect(performance.now() - began).toBeLessThan(30_000);
  });

  test('it has one worker, however many cores the machine has', async () => {
    const { pid } = await start();
    const { stdout } = spawnSync('pgrep', ['-P', `${pid}`], { encoding: 'utf8' });
    expect(stdout.trim().split('\n')).toHaveLength(1);
  });

  test('a body of 64 KiB passes, in memory and also without a length; a larger one is 413 and reaches no part', async () => {
    const gateway = await start();
    for (const headers of [{ accept: '*/*' }, { 'transfer-encoding': 'chunked' }] as Record<string, string>[]) {
      expect((await ask(gateway.url, 'POST /posts', headers, 'x'.repeat(65_536))).status).toBe(200);
      const refused = await ask(gateway.url, 'POST /posts', headers, 'x'.repeat(65_537));
      expectProblem(refused, { title: 'Payload Too Large', status: 413 });
    }
    expect(parts.seen.map(({ body }) => body.length)).toEqual([65_536, 65_536]);
    expect(gateway.errors()).not.toContain('temporary file');
  });

  test.each([
    ['no request line', 'nonsense\r\n\r\n', 400],
    ['no host', 'GET / HTTP/1.1\r\n\r\n', 400],
    ['an address that is too long', `GET /${'x'.repeat(9_000)} HTTP/1.1\r\nHost: x\r\n\r\n`, 414],
    ['headers that are too long', `GET / HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(9_000)}\r\n\r\n`, 431],
    ['an unknown transfer encoding', 'POST /posts HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: x\r\n\r\n', 501],
    ['a condition that does not hold', 'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nIf-Match: "x"\r\n\r\n', 412],
    ['TRACE', 'TRACE /posts HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n', 405],
  ])('a request with %s is refused with problem details', async (_what, text, status) => {
    const gateway = await start();
    const answer = await send(gateway.url, text);
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(answer).toMatch(/^Content-Type: application\/problem\+json\r$/im);
    expect(answer).toContain(`"status":${status},`);
    expect(answer).toMatch(/^Content-Security-Policy: /m);
    expect(parts.seen).toEqual([]);
  });
});

describeNginx('nginx: answers', () => {
  test('text and JSON are compressed for clients that accept it', async () => {
    const gateway = await start();
    const json = JSON.stringify({ text: 'long enough '.repeat(200) });
    parts.handle = (req, res) => {
      const type = req.method === 'POST' ? 'application/problem+json' : 'application/json';
      res.writeHead(200, { 'content-type': type }).end(json);
    };
    const response = (path: string, method = 'GET', encoding = 'gzip') =>
      fetch(gateway.url + path, { method, headers: { 'accept-encoding': encoding } });
    for (const answer of [
      await response('/posts'),
      await response('/posts', 'POST'),
      await response('/assets/index-abc.js'),
    ]) {
      expect(answer.headers.get('content-encoding')).toBe('gzip');
      expect(answer.headers.get('vary')).toBe('Accept-Encoding');
    }
    expect(await (await response('/posts')).text()).toBe(json);
    expect((await response('/posts', 'GET', 'identity')).headers.get('content-encoding')).toBeNull();
  });

  test('an answer that a part has compressed passes unchanged', async () => {
    const gateway = await start();
    const body = gzipSync('text '.repeat(1_000));
    parts.handle = (_req, res) =>
      res.writeHead(200, { 'content-type': 'text/plain', 'content-encoding': 'gzip' }).end(body);
    const answer = await fetch(`${gateway.url}/posts`);
    expect(await answer.text()).toBe(gunzipSync(body).toString());
  });

  test('a page that has not changed is not sent again', async () => {
    const gateway = await start();
    const first = await ask(gateway.url, 'GET /');
    const second = await ask(gateway.url, 'GET /', { 'if-none-match': String(first.headers.etag) });
    expect([second.status, second.text]).toEqual([304, '']);
    expect(second.headers['content-security-policy']).toBeDefined();
    expect(second.headers['cache-control']).toBe('no-cache');
  });

  test('files named by a hash are cached for ever, and sent whole', async () => {
    const gateway = await start();
    const asset = await ask(gateway.url, 'GET /assets/index-abc.js', { range: 'bytes=0-1' });
    expect([asset.status, asset.text]).toEqual([200, ASSET]);
    expect(asset.headers['cache-control']).toBe('public, max-age=31536000, immutable');
    const missing = await ask(gateway.url, 'GET /assets/missing.js', { accept: 'text/html,*/*' });
    expect([missing.status, missing.text]).toEqual([200, PAGE]);
  });

  test.each([
    ['nonsense\r\n\r\n', 400],
    ['POST /posts HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZ\r\n', 400],
    ['CONNECT x:1 HTTP/1.1\r\nHost: x:1\r\n\r\n', 400],
  ])('complete requests are answered before one that is refused: %j', async (behind, status) => {
    const gateway = await start();
    parts.handle = (_req, res) => res.writeHead(201).end();
    const whole = 'POST /posts HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}';
    const answers = (await send(gateway.url, whole + whole + behind)).matchAll(/HTTP\/1\.1 (\d+) /g);
    expect([...answers].map(([, one]) => Number(one))).toEqual([201, 201, status]);
    expect(parts.seen.map(({ body }) => body)).toEqual(['{}', '{}']);
  });

  test('a part cannot redirect nginx internally', async () => {
    const gateway = await start();
    parts.handle = (_req, res) => res.writeHead(200, { 'x-accel-redirect': '/api/internal/own' }).end('mine');
    expect((await ask(gateway.url, 'GET /posts')).text).toBe('mine');
  });

  test('it does not say which version it is, and says its own where it has one', async () => {
    const gateway = await start({ VERSION: '1.2.3' });
    const answer = await ask(gateway.url, 'GET /healthz');
    expect(answer.headers.server).toBe('nginx');
    expect(JSON.parse(answer.text)).toEqual({ status: 'ok', version: '1.2.3' });
  });

  test('the log has a JSON line for each request, without its query, and none for probes', async () => {
    const gateway = await start();
    await ask(gateway.url, 'GET /healthz');
    await ask(gateway.url, 'GET /readyz?x=1');
    await ask(gateway.url, 'PUT /posts/a%22b?secret=1');
    await ask(gateway.url, 'POST /posts?secret=1', { traceparent: TRACEPARENT });
    await until('both are logged', () => gateway.log().split('\n').length > 2);
    const lines = linesOf(gateway);
    const traceId = TRACEPARENT.slice(3, 35);
    const times = { ms: expect.any(Number), time: expect.any(Number) };
    const common = { level: 30, service: 'client', msg: 'request', address: '127.0.0.1', ...times };
    expect(lines).toEqual([
      expect.objectContaining({ ...common, method: 'PUT', path: '/posts/a%22b', status: 405, part: '', traceId: '' }),
      expect.objectContaining({ ...common, method: 'POST', path: '/posts', status: 200, part: 'posts', traceId }),
    ]);
    expect(Math.abs(lines[0].time - Date.now())).toBeLessThan(60_000);
  });

  test('the log has the trace of a request exactly where the parts take it for one', async () => {
    const gateway = await start();
    const sent = [
      ...[TRACEPARENT, `cc${TRACEPARENT.slice(2)}`, `cc${TRACEPARENT.slice(2)}-more`],
      ...[`${TRACEPARENT}-`, `ff${TRACEPARENT.slice(2)}`, `cc${TRACEPARENT.slice(2)}x`, TRACEPARENT.slice(1), '"'],
      ...[TRACEPARENT.toUpperCase(), TRACEPARENT.replace(/-.{32}/, `-${'0'.repeat(32)}`)],
      TRACEPARENT.replace(/-.{16}-/, `-${'0'.repeat(16)}-`),
    ];
    for (const traceparent of sent) await ask(gateway.url, 'GET /posts', { traceparent });
    await until('all are logged', () => linesOf(gateway).length === sent.length);
    const logged = linesOf(gateway).map(({ traceId }) => traceId);
    expect(logged).toEqual(sent.map((text) => traceIdOf(parseTraceparent(text)) ?? ''));
    expect(new Set(logged).size).toBe(2);
  });

  test('the log has the whole milliseconds that a request took', async () => {
    const gateway = await start();
    parts.handle = (_req, res) => void setTimeout(() => res.end(), 1_050);
    await ask(gateway.url, 'GET /posts');
    parts.handle = (_req, res) => void setTimeout(() => res.end(), 60);
    const began = performance.now();
    await ask(gateway.url, 'GET /posts');
    const took = performance.now() - began;
    await until('both are logged', () => linesOf(gateway).length === 2);
    const [long, short] = linesOf(gateway).map(({ ms }) => ms);
    expect(long).toBeGreaterThan(1_000);
    expect(short).toBeGreaterThan(50);
    expect(short).toBeLessThanOrEqual(Math.ceil(took));
  });
});

/** Answers DNS queries (RFC 1035): every name has these addresses, or does not exist. */
async function startNames() {
  const socket: Socket = createSocket('udp4');
  const names = {
    addresses: [] as string[],
    asked: new Set<string>(),
    at: '',
    close: () => new Promise<void>((resolve) => socket.close(resolve)),
  };
  socket.on('message', (question, { address, port }) => {
    const labels: string[] = [];
    let at = 12;
    for (let length = question[at] ?? 0; length > 0; length = question[at] ?? 0) {
      labels.push(question.toString('latin1', at + 1, at + 1 + length));
      at += 1 + length;
    }
    const end = at + 5;
    names.asked.add(labels.join('.'));
    const isIpv6 = question.readUInt16BE(at + 1) === 28;
    const records = names.addresses
      .filter((one) => one.includes(':') === isIpv6)
      .map((one) => {
        // A TTL of an hour, which this server ignores.
        const record = Buffer.from([0xc0, 12, 0, isIpv6 ? 28 : 1, 0, 1, 0, 0, 14, 16, 0, isIpv6 ? 16 : 4]);
        return Buffer.concat([
          record,
          isIpv6 ? Buffer.from([...Array(15).fill(0), 1]) : Buffer.from(one.split('.').map(Number)),
        ]);
      });
    const header = Buffer.from(question.subarray(0, 12));
    header.writeUInt16BE(names.addresses.length > 0 ? 0x8180 : 0x8183, 2);
    header.writeUInt16BE(records.length, 6);
    header.writeUInt32BE(0, 8);
    socket.send(Buffer.concat([header, question.subarray(12, end), ...records]), port, address);
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  names.at = `127.0.0.1:${(socket.address() as AddressInfo).port}`;
  return names;
}

describeNginx('nginx: names', () => {
  const named = (port: string, host = 'query.example') => ({ ...parts.urls, query: `http://${host}:${port}` });

  test('a part whose name resolves to a new address is found there, and one whose name is gone is a 503', async () => {
    const names = await open(startNames());
    const first = await open(listen((_req, res) => res.end('127.0.0.1')));
    const { port } = new URL(first.url);
    // Some systems have only one loopback address.
    const others: string[] = [];
    for (const host of ['127.0.0.2', '::1']) {
      const other = await listen((_req, res) => res.end(host), Number(port), host).catch(() => undefined);
      if (!other) continue;
      opened.push(other);
      others.push(host);
    }
    const gateway = await start({ RESOLVER: names.at }, named(port));

    const gone = await ask(gateway.url, 'GET /posts');
    expect([gone.status, gone.headers['retry-after']]).toEqual([503, '1']);
    expectProblem(gone, { detail: 'query is not answering. Try again in a moment.' });
    for (const address of ['127.0.0.1', ...others, '127.0.0.1']) {
      names.addresses = [address];
      await until(`found at ${address}`, async () => (await ask(gateway.url, 'GET /posts')).text === address);
    }
    names.addresses = [];
    await until('gone', async () => (await ask(gateway.url, 'GET /posts')).status === 503);
  });

  test('a short name is completed by the search list, a full one or an address is not', async () => {
    const names = await open(startNames());
    names.addresses = ['127.0.0.1'];
    const folder = mkdtempSync(join(tmpdir(), 'names-'));
    const resolvConf = join(folder, 'resolv.conf');
    writeFileSync(
      resolvConf,
      'nameserver 192.0.2.53\nsearch blog.svc.cluster.local svc.cluster.local\noptions ndots:5\n',
    );
    const { port } = new URL(parts.urls.query);
    for (const [host, asked] of [
      ['query-srv', ['query-srv.blog.svc.cluster.local']],
      ['query.example', ['query.example']],
      ['localhost', []],
      ['127.0.0.1', []],
    ] as const) {
      names.asked.clear();
      const gateway = await start({ RESOLVER: names.at }, named(port, host), resolvConf);
      expect((await ask(gateway.url, 'GET /posts')).text).toBe('query');
      expect([...names.asked]).toEqual(asked);
    }
    writeFileSync(resolvConf, 'nameserver 192.0.2.53\nnameserver fd00::53\nnameserver fe80::1%eth0\n');
    const gateway = await start({ RESOLVER: '' }, named(port, 'query-srv'), resolvConf);
    expect(gateway.conf()).toContain('resolver 192.0.2.53 [fd00::53] valid');
    expect(gateway.conf()).toContain(`query http://query-srv:${port};`);
    rmSync(folder, { recursive: true });
  });
});

describeNginx('nginx: settings', () => {
  test.each([
    ['POSTS_URL', ''],
    ['POSTS_URL', 'posts'],
    ['COMMENTS_URL', 'https://comments-srv:4001'],
    ['QUERY_URL', 'http://query-srv'],
    ['QUERY_URL', 'http://query-srv:0'],
    ['QUERY_URL', 'http://query-srv:65536'],
    ['QUERY_URL', 'http://query-srv:4002/path'],
    ['MODERATION_URL', 'http://user@moderation-srv:4003'],
    ['EVENT_BUS_URL', 'http://event-bus-srv:4005; } server { listen 1'],
    ['EVENT_BUS_URL', 'http://event-bus-srv:4005\nhttp://x:1'],
    ['EVENT_BUS_URL', 'http://$host:4005'],
    ['HOST', 'localhost'],
    ['HOST', '256.0.0.1'],
    ['PORT', '0'],
    ['PORT', '3000 default_server'],
    ['RATE_WRITES', '0'],
    ['RATE_WRITES', '-1'],
    ['RATE_READS', '10000'],
    ['RATE_READS', '5r/m; '],
    ['STREAMS', '0'],
    ['STREAMS', '1; limit_rate 1'],
    ['TRUSTED_PROXIES', '10.0.0.0/33'],
    ['TRUSTED_PROXIES', '10.0.0.0/8,'],
    ['TRUSTED_PROXIES', 'proxy.example'],
    ['RESOLVER', '10.0.0.1:99999'],
    ['RESOLVER', '10.0.0.1 valid=1d'],
    ['LOGS_URL', 'http://logs"'],
    ['LOGS_URL', 'http://logs/$host'],
    ['LOGS_URL', 'javascript:alert(1)'],
    ['VERSION', '1"'],
    ['PAGE_DIR', 'dist'],
    ['PAGE_DIR', '/page"; autoindex on; #'],
    ['PAGE_DIR', '/$host'],
  ])('%s=%j is refused by name', (name, value) => {
    const env = settingsFor(parts.urls, { [name]: value });
    const { status, stderr } = spawnSync('sh', [SCRIPT, CONF], { env, encoding: 'utf8' });
    expect(stderr).toMatch(new RegExp(`^Invalid setting ${name}: must be .+\\n$`));
    expect(status).toBe(78);
  });

  test('without a name server it refuses to start with the reason', () => {
    const env = settingsFor(parts.urls, { RESOLVER: '' });
    const { status, stderr } = spawnSync('sh', [SCRIPT, CONF, '/dev/null'], { env, encoding: 'utf8' });
    expect([status, stderr]).toEqual([78, 'Invalid setting RESOLVER: must be given\n']);
  });
});

describeNginx('nginx: the end', () => {
  test('after SIGQUIT answers in flight are completed, and a stream does not delay the end', async () => {
    const gateway = await start();
    let finish: () => void = () => undefined;
    const asked = new Promise<void>((resolve) => {
      parts.handle = (req, res) => {
        if (req.url === '/stream')
          return res.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: 1\n\n');
        finish = () => res.end('to the end');
        resolve();
      };
    });
    const stream = await fetch(`${gateway.url}/stream`);
    const slow = ask(gateway.url, 'GET /posts');
    await asked;
    gateway.kill('SIGQUIT');
    await until('it accepts nobody', () =>
      ask(gateway.url, 'GET /healthz').then(
        () => false,
        () => true,
      ),
    );
    finish();
    expect((await slow).text).toBe('to the end');
    expect(await gateway.ended).toBe(0);
    await expect(stream.text()).rejects.toThrow();
  });
});
