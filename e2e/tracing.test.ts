// The spans of an event's journey in OpenTelemetry, and that tracing costs nothing if it is off or its endpoint is
// down.
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { traceIdOf } from '../common/src/core/events.ts';
import { SERVICES } from '../common/src/run/parts.ts';
import { freePorts } from '../scripts/lib/port-use.ts';
import { get, post, until } from './lib/http.ts';
import { type Span, startReceiver } from './lib/otlp.ts';
import { openStream } from './lib/stream.ts';
import { type System, startProcess, startSystem } from './lib/system.ts';

const [SERVER, PRODUCER, CONSUMER] = [2, 4, 5];

/** The span in which a page's request begins; each in its own trace. */
const begin = (digit: number) => `00-${`${digit}`.repeat(32)}-b7ad6b7169203331-01`;

describe('with OTEL_EXPORTER_OTLP_ENDPOINT', () => {
  let receiver: Awaited<ReturnType<typeof startReceiver>>;
  let system: System;
  beforeAll(async () => {
    receiver = await startReceiver();
    process.env.OTEL_EXPORTER_OTLP_ENDPOINT = receiver.url;
    system = await startSystem('--production', '--without', 'client');
  });
  afterAll(async () => {
    delete process.env.OTEL_EXPORTER_OTLP_ENDPOINT;
    await system?.stop();
    await receiver?.close();
  });

  const write = async (path: string, body: object, traceparent: string): Promise<{ id: string }> => {
    const service = path === '/posts' ? 'posts' : 'comments';
    const answer = await post(`${system.url(service)}${path}`, body, { traceparent });
    expect(answer.status).toBe(201);
    return answer.body;
  };
  const spansOf = (traceparent: string) => receiver.spans.filter(({ traceId }) => traceId === traceIdOf(traceparent));
  const subject = ({ attributes }: Span) => attributes['messaging.message.id'];
  const named = (span: Span) => `${span.service}: ${span.name}`;

  test('a comment is one trace, from its request through all events that follow to the readers of the stream', async () => {
    const { id: postId } = await write('/posts', { title: 'Hello' }, begin(1));
    await system.quiet();
    const reader = await openStream(`${system.url('query')}/stream`);
    const comment = await write(`/posts/${postId}/comments`, { content: 'A fine day' }, begin(2));
    await reader.comment(comment.id, 'approved');
    await system.quiet();
    await reader.close();
    // Once each, even if events were sent in one batch.
    const steps = [
      'comments: POST /posts/:id/comments',
      ...['comments', 'moderation', 'comments'].flatMap((owner) => [
        `${owner}: send event-bus`,
        'event-bus: append log',
      ]),
      ...['moderation', 'query', 'comments'].map((service) => `${service}: process CommentCreated`),
      ...['comments', 'moderation'].map((service) => `${service}: process CommentModerated`),
      ...['query: process CommentUpdated', 'query: push stream', 'query: push stream'],
    ];
    const stepsOf = (spans: Span[]) => spans.filter(({ name }) => !/^deliver/.test(name)).map(named);
    const spans = await until('the end of the trace', () => {
      const spans = spansOf(begin(2));
      // Events may be delivered a little later, because of batching, and spans are sent once per second.
      return stepsOf(spans).length >= steps.length && isDelivered(spans) && spans;
    });
    expect(stepsOf(spans).sort()).toEqual(steps.sort());
    for (const name of SERVICES)
      expect(spans.filter((span) => named(span) === `event-bus: deliver ${name}`).length).toBeGreaterThan(0);

    // One tree: every span has its parent in it, and the root's parent is the page's request.
    const byId = new Map(spans.map((span) => [span.spanId, span]));
    const parentOf = ({ parentSpanId = '' }: Span) => byId.get(parentSpanId);
    const [request] = spans.filter((span) => !parentOf(span));
    expect(spans.filter((span) => !parentOf(span)).map(named)).toEqual(['comments: POST /posts/:id/comments']);
    expect(request).toMatchObject({ parentSpanId: begin(2).slice(36, 52), kind: SERVER });
    expect(request?.attributes).toMatchObject({ 'http.response.status_code': 201 });

    // Each event was made in one of the spans; its later spans are children of that one, or linked with it.
    const events = (await system.log()).filter(({ subject }) => subject === comment.id);
    const madeBy = events.map(({ type, ...event }) => {
      const { traceparent = '' } = event as { traceparent?: string };
      expect(traceIdOf(traceparent)).toBe(traceIdOf(begin(2)));
      const maker = traceparent.slice(36, 52);
      for (const span of spans.filter((span) => subject(span) === `${comment.id}/${type}` && !/^push/.test(span.name)))
        expect([span.parentSpanId, ...(span.links ?? []).map(({ spanId }) => spanId)]).toContain(maker);
      return [type, named(byId.get(maker) as Span)];
    });
    expect(madeBy).toEqual([
      ['CommentCreated', 'comments: POST /posts/:id/comments'],
      ['CommentModerated', 'moderation: process CommentCreated'],
      ['CommentUpdated', 'comments: process CommentModerated'],
    ]);
    const appended = spans.filter(({ name }) => name === 'append log');
    expect(appended.map((span) => [subject(span), span.attributes['blog.position']])).toEqual(
      expect.arrayContaining(events.map(({ id, position }) => [id, position])),
    );
    for (const { name, attributes } of spans)
      if (/^deliver/.test(name)) expect(attributes).toMatchObject({ 'blog.attempt': 1 });
    for (const { name, kind } of spans) {
      if (/^(process|append)/.test(name)) expect([name, kind]).toEqual([name, CONSUMER]);
      if (/^(send|deliver|push)/.test(name)) expect([name, kind]).toEqual([name, PRODUCER]);
    }
    for (const span of spans.filter(({ name }) => name === 'push stream'))
      expect(parentOf(span)?.name).toBe(
        span.attributes['cloudevents.event_type'] && `process ${span.attributes['cloudevents.event_type']}`,
      );
    expect(JSON.stringify(spans)).not.toContain('fine day');
  });

  const isDelivered = (spans: Span[]) => {
    const delivered = new Map<string, number>();
    for (const { name, attributes } of spans)
      delivered.set(name, (delivered.get(name) ?? 0) + Number(attributes['messaging.batch.message_count'] ?? 0));
    return SERVICES.every((name) => (delivered.get(`deliver ${name}`) ?? 0) >= 3);
  };

  test('events of one batch are linked: each is sent, appended and delivered in its own trace', async () => {
    const traces = [3, 4, 5, 6].map(begin) as [string, string, string, string];
    await system.part('stop event-bus');
    for (const traceparent of traces) await write('/posts', { title: traceparent }, traceparent);
    await system.startPart('event-bus');
    await system.quiet();
    // The first event goes alone, because an unknown bus may be a classic one; the others go in one batch.
    const [, lead, ...others] = traces as [string, string, string, string];
    const sent = await until('all that is sent', () => {
      const sent = traces.map((one) =>
        spansOf(one).find(({ name, status }) => name === 'send event-bus' && !status.code),
      );
      const appended = traces.filter((one) => spansOf(one).some(({ name }) => name === 'append log'));
      return sent.every(Boolean) && appended.length === 4 && (sent as Span[]);
    });
    const exchange = sent[1] as Span;
    const madeIn = (one: string) => spansOf(one).find(({ kind }) => kind === SERVER)?.spanId;
    expect(exchange.attributes['messaging.batch.message_count']).toBe(3);
    expect(exchange.parentSpanId).toBe(madeIn(lead));
    expect(exchange.links?.map(({ traceId, spanId }) => [traceId, spanId])).toEqual(
      others.map((one) => [traceIdOf(one), madeIn(one)]),
    );
    for (const [i, one] of others.entries()) {
      const appended = spansOf(one).find(({ name }) => name === 'append log');
      for (const span of [sent[i + 2], appended] as Span[]) {
        expect(span.parentSpanId).toBe(madeIn(one));
        expect(span.links).toMatchObject([{ traceId: exchange.traceId, spanId: exchange.spanId }]);
      }
    }
  });

  test('a trace that its caller did not sample is not recorded, but continued', async () => {
    const unrecorded = begin(7).replace(/01$/, '00');
    const { id } = await write('/posts', { title: 'Unrecorded' }, unrecorded);
    await system.quiet();
    const { id: next } = await write('/posts', { title: 'Recorded' }, begin(8));
    await until('the next one', () => spansOf(begin(8)).some(({ name }) => name === 'append log'));
    expect(spansOf(unrecorded)).toEqual([]);
    const traces = (await system.log()).map(({ subject, ...event }) => [
      subject,
      (event as { traceparent?: string }).traceparent,
    ]);
    expect(Object.fromEntries(traces)).toMatchObject({
      [id]: expect.stringMatching(/^00-7{32}-[0-9a-f]{16}-00$/),
      [next]: expect.stringMatching(/^00-8{32}-[0-9a-f]{16}-01$/),
    });
  });

  test('reads begin no trace', async () => {
    await get(`${system.url('posts')}/posts`);
    await get(`${system.url('event-bus')}/subscriptions`);
    const { id } = await write('/posts', { title: 'Later' }, begin(9));
    expect(id).toBeDefined();
    await until('what came later', () => spansOf(begin(9)).length > 2);
    expect(receiver.spans.filter(({ kind, name }) => kind === SERVER && /^GET/.test(name))).toEqual([]);
  });
});

describe('one part alone', () => {
  const ending: (() => unknown)[] = [];
  afterEach(async () => {
    for (const end of ending.splice(0).reverse()) await end();
  });

  const startPosts = async (env: NodeJS.ProcessEnv) => {
    const [port] = await freePorts(1);
    const dataDir = mkdtempSync(join(tmpdir(), 'blog e2e '));
    ending.push(() => rmSync(dataDir, { recursive: true, force: true }));
    const running = await startProcess('posts/src/main.ts', {
      ...{ PORT: `${port}`, DATA_DIR: dataDir, EVENT_BUS_URL: 'http://127.0.0.1:9', NODE_ENV: '' },
      ...env,
    });
    ending.push(
      () => running.stop(),
      () => rmSync(dataDir, { recursive: true, force: true }),
    );
    return { ...running, url: `http://127.0.0.1:${port}` };
  };
  /** Reports every module of OpenTelemetry that is loaded, but not the types that prom-client shares with it. */
  const TELL_LOADED = `--import data:text/javascript,${encodeURIComponent(
    `import { registerHooks } from 'node:module';
    registerHooks({ resolve(name, context, next) {
      const found = next(name, context);
      if (/opentelemetry.(?!api)/.test(found.url)) process.stderr.write('loaded ' + name + '\\n');
      return found;
    } });`,
  )}`;

  test.each([
    ['without an endpoint nothing of the SDK is loaded', {}, false],
    ['with one it is', { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9' }, true],
    ['with one for traces only it is', { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://127.0.0.1:9' }, true],
  ])('%s', async (_, env, loaded) => {
    const { output, url } = await startPosts({ NODE_OPTIONS: TELL_LOADED, ...env });
    expect((await post(`${url}/posts`, { title: 'a' })).status).toBe(201);
    expect(output().includes('loaded @opentelemetry/sdk-trace')).toBe(loaded);
    expect(/loaded/.test(output())).toBe(loaded);
  });

  test.each([
    ['always_off', undefined, 0],
    ['traceidratio', '0', 0],
    ['parentbased_always_off', undefined, 0],
    ['parentbased_traceidratio', '1', 20],
    ['always_on', undefined, 20],
  ])('OTEL_TRACES_SAMPLER=%s with %s decides what is recorded', async (sampler, ratio = '', expected) => {
    const receiver = await startReceiver();
    ending.push(() => receiver.close());
    const endpoint = { OTEL_EXPORTER_OTLP_ENDPOINT: `${receiver.url}/` };
    const { url, stop } = await startPosts({
      ...endpoint,
      OTEL_TRACES_SAMPLER: sampler,
      OTEL_TRACES_SAMPLER_ARG: ratio,
    });
    for (let i = 0; i < 20; i += 1) await post(`${url}/posts`, { title: 'a' });
    const recorded = () => receiver.spans.filter(({ name }) => name === 'POST /posts').length;
    // A busy machine may take longer than the second that the last spans have at the end.
    await until('the spans', () => recorded() >= expected);
    await stop();
    expect(recorded()).toBe(expected);
  });

  test('a share of the traces is recorded, each as a whole or not at all', async () => {
    const receiver = await startReceiver();
    ending.push(() => receiver.close());
    const { url, stop } = await startPosts({
      ...{ OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url, OTEL_TRACES_SAMPLER: 'traceidratio' },
      ...{ OTEL_TRACES_SAMPLER_ARG: '0.5' },
    });
    for (let i = 0; i < 200; i += 1) await post(`${url}/posts`, { title: 'a' });
    await stop();
    const { length } = receiver.spans.filter(({ name }) => name === 'POST /posts');
    expect(length).toBeGreaterThan(50);
    expect(length).toBeLessThan(150);
  });

  /** Endpoints that receive spans in different ways. */
  const ways: Record<string, () => Promise<string>> = {
    'is away': async () => 'http://127.0.0.1:9',
    hangs: async () => (await receiving(() => {})).url,
    'answers 500': async () => (await receiving((_req, res) => res.writeHead(500).end('broken'))).url,
    'answers 503': async () => (await receiving((_req, res) => res.writeHead(503, { 'retry-after': '60' }).end())).url,
    'dribbles its answer': async () =>
      (
        await receiving((_req, res) => {
          const timer = setInterval(() => res.write('x'), 100);
          res.on('close', () => clearInterval(timer));
        })
      ).url,
    'answers what is no HTTP': async () => {
      const server = createServer((socket) => {
        socket.on('error', () => {});
        socket.end('garbage\r\n\r\n');
      }).listen(0, '127.0.0.1');
      await once(server, 'listening');
      ending.push(() => server.close());
      return `http://127.0.0.1:${(server.address() as { port: number }).port}`;
    },
  };
  const receiving = async (answer: NonNullable<Awaited<ReturnType<typeof startReceiver>>['answer']>) => {
    const receiver = await startReceiver();
    receiver.answer = answer;
    ending.push(() => receiver.close());
    return receiver;
  };

  /** Retries when load is shed, because tests share the machine. */
  const write = async (url: string): Promise<number> => {
    const { status } = await post(`${url}/posts`, { title: 'a' });
    return status === 503 ? write(url) : status;
  };

  const HURRIED = { OTEL_EXPORTER_OTLP_TIMEOUT: '1000' };

  test.each(Object.entries(ways))(
    'an endpoint that %s: all requests are answered, at most one line reports it, and shutdown is not delayed',
    async (way, open) => {
      const endpoint = { OTEL_EXPORTER_OTLP_ENDPOINT: await open() };
      // A hanging endpoint is waited for up to the default timeout, and still hangs at the end.
      const { url, output, stop } = await startPosts(way === 'hangs' ? endpoint : { ...HURRIED, ...endpoint });
      const writeAll = async () => {
        for (let i = 0; i < 50; i += 1) expect(await write(url)).toBe(201);
      };
      await Promise.all(Array.from({ length: 10 }, writeAll));
      const said = () => output().split('spans cannot be sent').length - 1;
      if (!['hangs', 'dribbles its answer'].includes(way)) await until('it is said', said);
      await writeAll();
      const before = performance.now();
      expect(await stop()).toBe(0);
      expect(performance.now() - before).toBeLessThan(9_500);
      expect(said()).toBeLessThanOrEqual(1);
      expect(output()).not.toMatch(/sent again|"level":50/);
    },
  );

  test('while an endpoint hangs the number of buffered spans is limited, and its recovery is logged once', async () => {
    const held: (() => void)[] = [];
    const receiver = await receiving((_req, res) => void held.push(() => res.writeHead(500).end()));
    const { url, output, stop } = await startPosts({ OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url });
    const writing = Array.from({ length: 25 }, async () => {
      for (let i = 0; i < 140; i += 1) await write(url);
    });
    await Promise.all(writing);
    await until('it is said', () => {
      for (const answer of held.splice(0)) answer();
      return output().includes('spans cannot be sent');
    });
    receiver.answer = undefined;
    const said = () => output().split('spans are sent again').length - 1;
    await until('it works again', async () => (await write(url)) && said() === 1);
    await stop();
    expect(said()).toBe(1);
    expect(receiver.spans.length).toBeGreaterThan(0);
    expect(receiver.spans.filter(({ name }) => name === 'POST /posts').length).toBeLessThan(2_800);
  });

  test('a wrong address or sampler is named, and the process ends', async () => {
    const wrong = { OTEL_EXPORTER_OTLP_ENDPOINT: 'localhost:4318', OTEL_TRACES_SAMPLER: 'sometimes' };
    const problem = await startPosts({ ...wrong, OTEL_TRACES_SAMPLER_ARG: '2' }).catch(String);
    for (const name of [...Object.keys(wrong), 'OTEL_TRACES_SAMPLER_ARG'])
      expect(problem).toContain(`Invalid setting ${name}:`);
  });
});
