// `npm run smoke -- URL`: tests a running blog from outside, through its gateway. Writes one post with two comments and
// changes nothing else. Prints a line for each check. Exit code 0: all passed, 1: one failed, 2: wrong usage.
import { randomUUID } from 'node:crypto';
import dns from 'node:dns';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { detailOf } from '@blog/common/core/exchange.ts';
import { printable } from '@blog/common/core/printable.ts';
import { localUrl, SERVERS } from '@blog/common/run/parts.ts';
import { optionsOrUsage } from '../scripts/lib/usage.ts';
import { type Answer, request, until } from './lib/http.ts';
import { openStream } from './lib/stream.ts';

const USAGE = `Usage: npm run smoke -- [URL] [--timeout SECONDS]      (${localUrl('client')}, 30)`;
const COMMENTS = [
  { content: 'A fine day', verdict: 'approved' },
  { content: 'An orange day', verdict: 'rejected' },
];

function parseOptions() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { timeout: { type: 'string', default: '30' } },
  });
  const [given = localUrl('client'), ...more] = positionals;
  if (more.length > 0) throw new Error('Only one URL can be checked.');
  if (!URL.canParse(given) || !/^https?:$/.test(new URL(given).protocol))
    throw new Error(`${given} is not a URL like http://localhost:3000.`);
  const seconds = Number(values.timeout);
  if (!(seconds > 0)) throw new Error('--timeout must be a number of seconds.');
  return { origin: new URL(given).origin, seconds };
}

const { origin, seconds } = optionsOrUsage(parseOptions, USAGE);
const deadline = performance.now() + seconds * 1000;
const left = () => Math.max(1, deadline - performance.now());

// Every name under localhost is this machine (RFC 6761 §6.3). Browsers know that, some systems' resolvers do not.
const lookup = dns.lookup as (host: string, ...rest: unknown[]) => void;
const lookupHere = (host: string, ...rest: unknown[]) =>
  lookup(host.endsWith('.localhost') ? 'localhost' : host, ...rest);
dns.lookup = lookupHere as unknown as typeof dns.lookup;

let failures = 0;
/** The gateway did not answer at all: the remaining checks are skipped. */
let away = false;

async function check<T>(title: string, work: () => Promise<T>): Promise<T | undefined> {
  if (away) return undefined;
  try {
    const found = await work();
    console.log(`ok      ${title}${typeof found === 'string' ? ` (${printable(found)})` : ''}`);
    return found;
  } catch (error) {
    failures += 1;
    console.log(`FAILED  ${title}: ${printable((error as Error).message)}`);
    return undefined;
  }
}

function expect(condition: unknown, otherwise: string): asserts condition {
  if (!condition) throw new Error(otherwise);
}

const reasonOf = (error: Error & { cause?: NodeJS.ErrnoException }) =>
  error.cause?.code ?? error.cause?.message ?? error.message;

type Sent = { body?: unknown; headers?: Record<string, string> };

/** Sends one request. After "later" (429, 503) it is retried with the same key, until the deadline. */
async function send(method: string, path: string, sent: Sent = {}): Promise<Answer> {
  for (;;) {
    const answer = await request(origin + path, { method, ...sent }).catch((error) => {
      away = true;
      throw new Error(`${origin} does not answer ${method} ${path} (${reasonOf(error)})`);
    });
    const wait = Math.max(0.1, Number(answer.headers.get('retry-after') ?? 1)) * 1000;
    if (![429, 503].includes(answer.status) || !(wait < left())) return answer;
    await pause(wait);
  }
}

/** "POST /posts answered 503: posts is not answering." An HTML page is not quoted. */
function said(request: string, { status, headers, body }: Answer): string {
  const told = typeof body === 'object' && detailOf({ body, text: JSON.stringify(body) });
  return `${request} answered ${status}${told ? `: ${told}` : ` (${headers.get('content-type') ?? 'no body'})`}`;
}

const isType = ({ headers }: Answer, type: string) => (headers.get('content-type') ?? '').startsWith(type);

/** The parts that are not ready, by the gateway: a missing effect is seldom the fault of the part that misses it. */
async function whoIsAway(): Promise<string> {
  const answer = await request(`${origin}/api/system/state`).catch(() => undefined);
  const isReady = (part: string) => new RegExp(`"name":"${part}".*"status":"ready"`).test(String(answer?.body));
  const names = SERVERS.filter((part) => !isReady(part));
  return names.length > 0 ? `; not ready: ${names.join(', ')}` : '';
}

/** The security headers that an answer lacks. */
function lacks({ headers }: Answer): string[] {
  const policy = headers.get('content-security-policy') ?? '';
  const directive = (name: string) => new RegExp(`(?:^|;)\\s*${name}\\s([^;]*)`, 'i').exec(policy)?.[1];
  const scripts = directive('script-src') ?? directive('default-src');
  return [
    scripts === undefined && 'a Content-Security-Policy for scripts',
    scripts?.includes("'unsafe-inline'") && "a Content-Security-Policy without 'unsafe-inline' for scripts",
    headers.get('x-content-type-options') !== 'nosniff' && 'X-Content-Type-Options: nosniff',
    !headers.get('referrer-policy') && 'Referrer-Policy',
  ].filter((name) => typeof name === 'string');
}

await check('GET /healthz and /readyz: the gateway is up', async () => {
  for (const path of ['/healthz', '/readyz']) {
    const answer = await send('GET', path);
    expect(answer.status === 200 && isType(answer, 'application/json'), said(`GET ${path}`, answer));
  }
});

const page = await check('GET / is the page', async () => {
  const answer = await send('GET', '/');
  expect(answer.status === 200 && isType(answer, 'text/html'), said('GET /', answer));
  expect(answer.body.includes('id="root"'), 'GET / is a page, but not that of the blog');
  return answer;
});

if (page) {
  await check('its files load', async () => {
    const addresses = [...page.body.matchAll(/<(?:script|link)\b[^>]*\s(?:src|href)="(\/[^"]+)"/g)].map(
      ([, path]) => path,
    );
    expect(/\.[jt]sx?(\n|$)/.test(addresses.join('\n')), 'it names no script');
    for (const path of addresses) {
      const answer = await send('GET', path);
      // A gateway without the file may answer with the page.
      expect(answer.status === 200 && !isType(answer, 'text/html'), said(`GET ${path}`, answer));
    }
    return `${addresses.length} files`;
  });
}

// Opened before the first write, from the position of this list.
const stream = await check('GET /stream opens', async () => {
  const list = await send('GET', '/posts');
  const position = list.headers.get('stream-position');
  expect(list.status === 200, said('GET /posts', list));
  expect(position, 'GET /posts has no Stream-Position');
  const url = `${origin}/stream?after=${encodeURIComponent(position)}`;
  const opened = await openStream(url, left()).catch((error) => {
    throw new Error(`GET /stream sends nothing (${reasonOf(error)}); is it buffered?`);
  });
  expect(opened.status === 200, `GET /stream answered ${opened.status}`);
  return opened;
});

const write = async (path: string, body: object): Promise<{ id: string }> => {
  const answer = await send('POST', path, { body, headers: { 'idempotency-key': randomUUID() } });
  expect(answer.status === 201 && answer.body.id, said(`POST ${path}`, answer));
  return answer.body;
};

const title = `Smoke test ${new Date().toISOString()}`;
const post = await check('a post is accepted', () => write('/posts', { title }));

const comments =
  post &&
  (await check('two comments are accepted', async () => {
    const written: { id: string; content: string; verdict: string }[] = [];
    for (const comment of COMMENTS) {
      const { id } = await write(`/posts/${encodeURIComponent(post.id)}/comments`, { content: comment.content });
      written.push({ id, ...comment });
    }
    return written;
  }));

if (stream && comments) {
  await check('the stream brings both verdicts', async () => {
    const statuses = new Map<string, string>();
    const follow = () => {
      for (const { data } of stream.messages)
        for (const { id, status } of data.comments ?? []) statuses.set(id, status);
      return comments.every(({ id }) => (statuses.get(id) ?? 'pending') !== 'pending');
    };
    await until('verdicts', follow, left()).catch(() => {});
    for (const { id, content, verdict } of comments) {
      const status = statuses.get(id) ?? 'not in it';
      const missing = !['approved', 'rejected'].includes(status);
      const why = missing ? ` after ${seconds} s${await whoIsAway()}` : '';
      expect(status === verdict, `"${content}" is ${status}, not ${verdict}${why}`);
    }
  });

  await check('GET /posts and /posts/:id have the post with both comments', async () => {
    const path = `/posts/${encodeURIComponent(post.id)}`;
    const [list, single] = [await send('GET', '/posts'), await send('GET', path)];
    for (const [request, answer, found] of [
      ['GET /posts', list, list.body?.[post.id]],
      [`GET ${path}`, single, single.body],
    ] as const) {
      expect(answer.status === 200, said(request, answer));
      expect(found?.title === title, `${request} has no such post`);
      const ids = found.comments?.map(({ id }: { id: string }) => id) ?? [];
      expect(
        comments.every(({ id }) => ids.includes(id)),
        `${request} has ${ids.length} of ${comments.length} comments`,
      );
    }
  });
}
await stream?.close();

await check('internal addresses cannot be reached', async () => {
  const open: string[] = [];
  for (const [method, path] of [
    ['POST', '/events'],
    ['GET', '/events'],
    ['POST', '/posts/x/events'],
    ['GET', '/posts/x/events'],
    ['GET', '/metrics'],
  ] as const) {
    // Not an event: if it gets through, the bus refuses it.
    const answer = await send(method, path, { body: method === 'POST' ? {} : undefined });
    if (![404, 405].includes(answer.status)) open.push(said(`${method} ${path}`, answer));
  }
  expect(open.length === 0, open.join('; '));
});

await check('other origins cannot control the bus', async () => {
  // Without effect if it gets through: the bus answers 400 to an invalid position.
  const { body: list } = await send('GET', '/api/system/subscriptions');
  // `query`, or a copy of it, `query-0`; behind a foreign bus there may be none.
  const name = (Array.isArray(list) && list.find(({ name }) => /^query(-\d+)?$/.test(name))?.name) || 'query';
  const path = `/api/system/subscriptions/${name}/replay`;
  const replay = (from: string) => send('POST', path, { body: { from: 'nowhere' }, headers: { origin: from } });
  const foreign = await replay('http://elsewhere.example');
  expect([403, 404].includes(foreign.status), said('a foreign replay', foreign));
  const own = await replay(origin);
  expect([400, 404].includes(own.status), said('a replay', own));
  return own.status === 404 ? 'control is off' : 'control is on for its own';
});

const SAFE = 'security headers';
if (page?.body.includes('/@vite/client')) {
  console.log(`-       ${SAFE}: not checked (development server)`);
} else if (page) {
  const answers = {
    'on the page': () => Promise.resolve(page),
    'on an answer': () => send('GET', '/posts'),
    'on an error of the gateway': () => send('GET', '/api/nothing'),
    'on an error of a service': () => send('POST', '/posts', { body: {} }),
  };
  for (const [where, answer] of Object.entries(answers)) {
    await check(`${SAFE} ${where}`, async () => {
      const missing = lacks(await answer());
      expect(missing.length === 0, `it lacks ${missing.join(', ')}`);
    });
  }
}

console.log(failures === 0 ? `\n${origin} works.` : `\n${failures} failed.`);
process.exitCode = failures === 0 ? 0 : 1;
