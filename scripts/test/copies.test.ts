// `npm start -- --copies 2` with small fake parts: names, ports, settings, the balancer, the nodes of NATS.
import http from 'node:http';
import { createServer } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { withNats } from '../lib/nats.ts';
import { until } from '../lib/until.ts';
import { createCheckout, isAlive, type Run } from './checkout.ts';

let checkout: Awaited<ReturnType<typeof createCheckout>>;
let runner: Run;
const part = async (...command: string[]) => {
  const asked = checkout.run('run/part.ts', command);
  return { code: await asked.exited, text: asked.output() };
};
const started = () => until('the greeting', () => runner.output().includes('Ctrl-C stops all'));
const withoutNats = { PATH: import.meta.dirname, NATS_SERVER: '' };

/** A copy that answers with all that it was given. */
const COPY = `
import { createServer } from 'node:http';
let ready = true;
const { PORT, HOST, COPY_NAME, ANSWER_AFTER, DATA_DIR, EVENT_BUS_URL, SUBSCRIPTIONS, NATS_URL, COPY_URL } = process.env;
const server = createServer(async (request, response) => {
  const { method, url, headers } = request;
  if (url === '/readyz') return response.writeHead(ready ? 200 : 503).end();
  if (url === '/unready') ready = false;
  if (url === '/die') return process.kill(process.pid, 'SIGKILL');
  if (url === '/stream') return response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders();
  let body = '';
  for await (const chunk of request) body += chunk;
  const settings = { COPY_NAME, ANSWER_AFTER, DATA_DIR, EVENT_BUS_URL, SUBSCRIPTIONS, NATS_URL, COPY_URL };
  response.writeHead(201, 'Made', { 'x-own': 'kept' }).end(JSON.stringify({ name: COPY_NAME, pid: process.pid, method, url, body, host: headers.host, settings }));
});
server.listen(Number(PORT), HOST);
process.on('SIGTERM', () => process.exit(0));
`;
type Answer = { name: string; pid: number; method: string; url: string; body: string; host: string };
type Settings = { settings: Record<string, string> };

const at = (name: string) => `http://127.0.0.1:${checkout.ports[name]}`;
async function ask(path = '/', options: RequestInit = {}, name = 'posts'): Promise<Answer & Settings> {
  return (await (await fetch(at(name) + path, options)).json()) as Answer & Settings;
}
/** The copies of posts that answer at the classic port. */
async function answering(): Promise<string[]> {
  const names = await Promise.all(Array.from({ length: 6 }, async () => (await ask()).name));
  return [...new Set(names)].sort();
}
const both = () => until('both copies answer', async () => (await answering()).length === 2);

describe('two copies without nats-server', () => {
  beforeAll(async () => {
    checkout = await createCheckout();
    for (const name of ['posts', 'event-bus']) checkout.edit(name, COPY);
    runner = checkout.start(['posts', 'event-bus', 'client'], ['--copies', '2'], withoutNats);
    await started();
  });
  afterAll(() => checkout.remove());
  beforeEach(both);

  test('one bus runs, and a sentence says why, and how to get NATS', async () => {
    expect(runner.output()).toMatch(
      /The bus runs once, .*no nats-server on the PATH .*brew install.*choco.*go install/,
    );
    const { settings } = await ask('/', {}, 'event-bus');
    expect(settings.COPY_NAME).toBeUndefined();
    const { 'event-bus': bus, posts = 0, query } = checkout.ports;
    expect(settings.SUBSCRIPTIONS).toContain(
      `posts-0=http://localhost:${posts + 100}/events,posts-1=http://localhost:${posts + 200}/events`,
    );
    // Left out, so that a part of one's own listens there.
    expect(settings.SUBSCRIPTIONS).toContain(`query=http://localhost:${query}/events`);
    expect((await ask()).settings).toMatchObject({ ANSWER_AFTER: 'log', EVENT_BUS_URL: `http://localhost:${bus}` });
  });

  test('the greeting and the status name each copy', async () => {
    expect(runner.output()).toContain(`http://localhost:${checkout.ports.posts}/posts   (posts-0 at`);
    const { text } = await part('status');
    for (const name of ['balancer', 'posts-0', 'posts-1', 'event-bus', 'client'])
      expect(text).toMatch(new RegExp(`^${name} +ready`, 'm'));
  });

  test('the first copy has its data where a single one has it', async () => {
    const folders = await Promise.all(
      ['posts-0', 'posts-1'].map(async (name) => [
        name,
        (await (checkout.get(name) as Promise<unknown> as Promise<Settings>)).settings.DATA_DIR,
      ]),
    );
    const [first, second] = folders.map(([, folder]) => folder as string);
    expect(first).toMatch(/\.data$/);
    expect(second).toMatch(/\.data.copy-1$/);
  });

  test('requests are shared, and pass as they are', async () => {
    const names = [await ask(), await ask()].map(({ name }) => name);
    expect(names.sort()).toEqual(['posts-0', 'posts-1']);
    const answer = await fetch(`${at('posts')}/a?b=%20`, { method: 'POST', body: 'text' });
    expect([answer.status, answer.statusText, answer.headers.get('x-own')]).toEqual([201, 'Made', 'kept']);
    expect(await answer.json()).toMatchObject({
      method: 'POST',
      url: '/a?b=%20',
      body: 'text',
      host: `127.0.0.1:${checkout.ports.posts}`,
    });
    const large = 'x'.repeat(1_000_000);
    expect((await ask('/', { method: 'DELETE', body: large })).body).toBe(large);
  });

  test('a killed copy costs no request that it did not have, and comes back', async () => {
    const { pid } = (await checkout.get('posts-1')) as { pid: number };
    expect(await part('kill', 'posts-1')).toEqual({ code: 0, text: 'posts-1 is killed and will restart.\n' });
    // While nobody has noticed yet: a refused connection is tried at the other copy.
    for (let i = 0; i < 6; i++) await ask('/', { method: 'POST', body: String(i) });
    expect(isAlive(pid)).toBe(false);
  });

  test('a request that a copy had is not repeated', async () => {
    const answer = await fetch(`${at('posts')}/die`, { method: 'POST' });
    expect([answer.status, answer.headers.get('retry-after'), answer.headers.get('content-type')]).toEqual([
      502,
      '1',
      'application/problem+json',
    ]);
    expect((await answering()).length).toBeGreaterThan(0);
  });

  test('a copy that is not ready gets no requests', async () => {
    const { name } = await ask('/unready');
    await until('it is left out', async () => !(await answering()).includes(name));
    await part('kill', name);
  });

  test('a stream ends with its copy', async () => {
    const open = await new Promise<http.IncomingMessage>((resolve) => http.get(`${at('posts')}/stream`, resolve));
    const ended = new Promise((resolve) => open.once('close', resolve));
    open.on('error', () => {}).resume();
    for (const name of ['posts-0', 'posts-1']) await part('kill', name);
    await ended;
    expect(open.complete).toBe(false);
  });

  test('with all copies stopped the answer is 503 with a time', async () => {
    for (const name of ['posts-0', 'posts-1']) await part('stop', name);
    const answer = await fetch(at('posts'));
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '1']);
    expect(await answer.json()).toMatchObject({ status: 503, detail: 'No copy is ready at the moment.' });
    for (const name of ['posts-0', 'posts-1']) await part('start', name);
  });

  test('a command for the part names its copies', async () => {
    expect(await part('kill', 'posts')).toEqual({
      code: 2,
      text: 'posts runs as posts-0, posts-1: name one of them.\n',
    });
  });

  test('an edit restarts one copy after another', async () => {
    const before = await Promise.all(['posts-0', 'posts-1'].map((name) => checkout.get(name)));
    // It takes a while to start: both at once would leave nobody who answers.
    checkout.edit('posts', `await new Promise((resolve) => setTimeout(resolve, 500));\n${COPY}`);
    const isNew = async (name: string, index: number) =>
      ![undefined, before[index]?.pid].includes((await checkout.get(name))?.pid);
    const statuses = new Set<number>();
    await until('both are new', async () => {
      statuses.add((await fetch(at('posts'))).status);
      return (await isNew('posts-0', 0)) && (await isNew('posts-1', 1));
    });
    expect([...statuses]).toEqual([201]);
  });
});

describe('starting copies', () => {
  beforeEach(async () => {
    checkout = await createCheckout();
  });
  afterEach(() => checkout.remove());

  withNats(test)('with nats-server there are three nodes, and copies of the bus; all end on SIGINT', async () => {
    checkout.edit('event-bus', COPY);
    runner = checkout.start(['event-bus'], ['--copies', '2']);
    await started();
    const { settings } = await ask('/', {}, 'event-bus');
    const { nats = 0, 'event-bus': bus = 0 } = checkout.ports;
    expect(settings.NATS_URL).toBe([0, 1, 2].map((node) => `nats://127.0.0.1:${nats + node}`).join());
    const urls = ['event-bus-0', 'event-bus-1'].map(
      async (name) => (await (checkout.get(name) as Promise<unknown> as Promise<Settings>)).settings.COPY_URL,
    );
    expect(await Promise.all(urls)).toEqual([`http://localhost:${bus + 100}`, `http://localhost:${bus + 200}`]);
    const pids = Array.from((await part('status')).text.matchAll(/^nats-\d +ready +(\d+)/gm), ([, pid]) => Number(pid));
    expect(pids).toHaveLength(3);
    expect((await part('kill', 'nats-1')).code).toBe(0);
    await until('it is back', async () => /^nats-1 +ready +\d+ +1 /m.test((await part('status')).text));
    runner.process.kill('SIGINT');
    expect(await runner.exited).toBe(0);
    expect(pids.filter(isAlive)).toEqual([]);
  });

  test.each(['posts', 'posts-1'])('a port in use is named: that of %s', async (name) => {
    const port = (checkout.ports.posts as number) + (name === 'posts' ? 0 : 200);
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(port, '127.0.0.1', resolve));
    try {
      runner = checkout.start(['posts'], ['--copies', '2'], withoutNats);
      expect(await runner.exited).toBe(1);
      expect(runner.output()).toContain(`${name === 'posts' ? 'balancer' : name} cannot listen on port ${port}`);
      expect(await checkout.get('posts-0')).toBeUndefined();
    } finally {
      other.close();
    }
  });

  test.each(['0', '6', 'two', '1.5'])('--copies %s is refused', async (count) => {
    const refused = checkout.start(['posts'], ['--copies', count]);
    expect(await refused.exited).toBe(2);
    expect(refused.output()).toContain(`--copies ${count}: expected a number from 1 to 5`);
  });
});
