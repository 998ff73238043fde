// `npm run smoke` itself: it reports nothing about a working blog, and names each failure.
import { once } from 'node:events';
import { createServer, type RequestListener, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { runScript } from './lib/script.ts';
import { type System, startSystem } from './lib/system.ts';

let system: System;
let gateway: string;
beforeAll(async () => {
  system = await startSystem();
  gateway = system.url('client');
});
afterAll(() => system?.stop());

/** Runs it; `failed` has the lines of the checks that failed. */
async function smoke(...args: string[]) {
  const { code, output } = await runScript('e2e/smoke.ts', args);
  return { code, output, failed: output.match(/^FAILED .*$/gm) ?? [] };
}

/** Returns a truthy value if it has answered the request itself. */
type Interloper = (...args: Parameters<RequestListener>) => unknown;

/** Starts a gateway in front of the real one. */
async function behind(answer: Interloper, work: (url: string) => Promise<void>): Promise<void> {
  const server = createServer((req, res) => {
    if (answer(req, res)) return;
    const { method, headers, url } = req;
    const passed = request(gateway + url, { method, headers }, (reply) => {
      res.writeHead(reply.statusCode ?? 502, reply.headers);
      res.flushHeaders();
      reply.on('error', () => res.destroy()).pipe(res);
    });
    passed.on('error', () => res.destroy());
    res.on('close', () => passed.destroy());
    req.pipe(passed);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    await work(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

describe('a blog that works', () => {
  test('passes every check', async () => {
    const { code, output, failed } = await smoke(gateway);
    expect(failed).toEqual([]);
    expect(output).toContain('ok      the stream brings both verdicts');
    expect(output).toContain('security headers: not checked (development server)');
    expect(output).toContain(`${gateway} works.`);
    expect(code).toBe(0);
  });

  test('passes in production, with its security headers', async () => {
    const production = await startSystem('--production');
    try {
      const { code, output, failed } = await smoke(production.url('client'));
      expect(failed).toEqual([]);
      expect(output.match(/^ok +security headers on .*$/gm)).toHaveLength(4);
      expect(output).toContain('(control is off)');
      expect(code).toBe(0);
    } finally {
      await production.stop();
    }
  });

  test('is found by a name under localhost', async () => {
    const { code, output } = await smoke(gateway.replace('127.0.0.1', 'blog.localhost'));
    expect({ code, output }).toMatchObject({ code: 0, output: expect.stringContaining('//blog.localhost:') });
  });

  test('a gateway that answers "later" is retried with the same key', async () => {
    const keys: unknown[] = [];
    const busyAtFirst: Interloper = ({ url, method, headers }, res) => {
      if (method !== 'POST' || url !== '/posts' || keys.push(headers['idempotency-key']) > 2) return false;
      return res.writeHead(503, { 'retry-after': '0' }).end();
    };
    await behind(busyAtFirst, async (url) => {
      expect(await smoke(url)).toMatchObject({ code: 0, failed: [] });
      expect(keys).toEqual([expect.any(String), keys[0], keys[0]]);
    });
  });
});

describe('failures are named, and the exit code is 1:', () => {
  test('missing verdicts, and the part that is down', async () => {
    await system.part('stop moderation');
    try {
      const { code, failed } = await smoke(gateway, '--timeout', '6');
      expect(failed).toEqual([expect.stringContaining('"A fine day" is pending, not approved after 6 s')]);
      expect(failed[0]).toContain('not ready: moderation');
      expect(code).toBe(1);
    } finally {
      await system.startPart('moderation');
    }
  });

  test.each<[string, string, Interloper]>([
    [
      'a gateway that lets events in',
      'internal addresses cannot be reached: POST /events answered 201',
      ({ url, method }, res) => url === '/events' && method === 'POST' && res.writeHead(201).end(),
    ],
    [
      'control of the bus from anywhere',
      'other origins cannot control the bus: a foreign replay answered 400',
      ({ headers }) => {
        delete headers.origin;
      },
    ],
    [
      'a page whose script is missing',
      'its files load: GET /assets/index-1a2b3c4d.js answered 404',
      ({ url }, res) =>
        url === '/' &&
        res
          .writeHead(200, { 'content-type': 'text/html' })
          .end('<script src="/assets/index-1a2b3c4d.js"></script><div id="root"></div>'),
    ],
    [
      'a page that runs any script',
      "security headers on the page: it lacks a Content-Security-Policy without 'unsafe-inline' for scripts, Referrer-Policy",
      ({ url }, res) =>
        url === '/' &&
        res
          .writeHead(200, {
            'content-type': 'text/html',
            'content-security-policy': "default-src 'self'; script-src 'self' 'unsafe-inline'",
            'x-content-type-options': 'nosniff',
          })
          .end('<script src="/src/main.tsx"></script><div id="root"></div>'),
    ],
  ])('%s', async (_, line, answer) => {
    await behind(answer, async (url) => {
      const { code, failed } = await smoke(url);
      expect(failed).toContainEqual(expect.stringContaining(line));
      expect(code).toBe(1);
    });
  });

  test('a blog that does not run, in one line', async () => {
    let nobody = '';
    await behind(
      () => false,
      async (url) => {
        nobody = url; // its port is free again afterwards
      },
    );
    const { code, output, failed } = await smoke(nobody);
    expect(failed).toEqual([expect.stringContaining(`${nobody} does not answer GET /healthz (ECONNREFUSED)`)]);
    expect(output).not.toMatch(/^ +at /m);
    expect(code).toBe(1);
  });
});

test.each([
  [['ftp://localhost']],
  [['localhost:3000']],
  [['http://a', 'http://b']],
  [['--timeout', 'soon']],
  [['--x']],
])('wrong usage is reported, and the exit code is 2 (%p)', async (args: string[]) => {
  expect(await smoke(...args)).toMatchObject({ code: 2, output: expect.stringContaining('Usage: npm run smoke') });
});
