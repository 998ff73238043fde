// Moderation in other languages (lessons/other-languages): each takes the place of ours under load, and answers as it should.
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { freePorts } from '../scripts/lib/port-use.ts';
import { get, post, readModel, request, until } from './lib/http.ts';
import { LANGUAGES, startIn, testIn } from './lib/languages.ts';
import { type System, startSystem } from './lib/system.ts';
import { expected, shown, type Written, writePost } from './lib/writers.ts';

const built = mkdtempSync(join(tmpdir(), 'blog languages '));
afterAll(() => rmSync(built, { recursive: true, force: true }));

const names = Object.keys(LANGUAGES);
const commands = new Map<string, [string, ...string[]]>();

/** Starts a service; what must be compiled is compiled once. */
function start(name: string, env: NodeJS.ProcessEnv) {
  const command = commands.get(name) ?? LANGUAGES[name]?.command(built);
  if (!command) throw new Error(`${name} is no language`);
  commands.set(name, command);
  return startIn(command, env);
}

const kindOf = (name: string) => (name.includes('checkpoint') ? 'checkpointed' : 'plain');

describe('in the place of ours, under load', () => {
  let system: System;
  const written: Written[] = [];
  let isWriting = true;
  let writing: Promise<unknown>;
  beforeAll(async () => {
    system = await startSystem('--production', '--without', 'client');
    writing = Promise.all(['a', 'b'].map(write));
    writing.catch(() => {}); // the last test awaits it
  });
  afterAll(async () => {
    isWriting = false;
    await writing?.catch(() => {});
    await system?.stop();
  });

  /** True once all comments of a post are shown with a verdict. */
  async function isJudged({ id, comments }: Written): Promise<boolean> {
    const { body } = await get(`${system.url('query')}/posts/${id}`);
    const judged = (body.comments ?? []).filter(({ status }: { status: string }) => status !== 'pending');
    return judged.length === comments.length;
  }

  /** Writes without a pause, at most three posts ahead of the verdicts: a plain subscriber takes one event at a time. */
  async function write(writer: string): Promise<void> {
    const own: Written[] = [];
    while (isWriting) {
      const post = await writePost(system, `post ${own.length} of ${writer}`);
      own.push(post);
      written.push(post);
      const earlier = own.at(-4);
      if (earlier) await until('the verdicts on an earlier post', async () => !isWriting || isJudged(earlier));
    }
  }

  for (const name of names)
    testIn(name)(`moderation in ${name} judges while ours is stopped, and ours goes on behind it`, async () => {
      await system.part('stop moderation');
      const env = {
        PORT: `${system.ports.moderation}`,
        EVENT_BUS_URL: system.url('event-bus'),
        DATA_DIR: mkdtempSync(join(built, 'data ')),
      };
      const foreign = await start(name, env);
      try {
        const kind = async () => (await system.subscriptions()).find((one) => one.name === 'moderation')?.kind;
        await until('the bus knows the kind', async () => (await kind()) === kindOf(name));
        const post = await writePost(system, `judged in ${name}`);
        written.push(post);
        await until(`${name} has judged`, () => isJudged(post));
      } finally {
        await foreign.stop();
      }
      await system.startPart('moderation');
    });

  test('afterwards every post and comment is there once, with its verdict, and the log has one verdict on each comment', async () => {
    isWriting = false;
    await writing;
    await system.quiet();
    const all = expected(written);
    expect(all.length).toBeGreaterThan(names.length);
    expect(shown(await readModel(system.url('query')))).toEqual(all);
    const verdicts = (await system.log()).filter(({ type }) => type === 'CommentModerated').map(({ id }) => id);
    expect(verdicts.sort()).toEqual(
      all.flatMap(({ comments }) => comments.map(({ id }) => `${id}/CommentModerated`)).sort(),
    );
  });
});

type Event = { id: string; source: string; type: string; data: object };

/** A bus that takes events, or refuses with `status`. */
async function startBus() {
  const taken: Event[] = [];
  const bus = { status: 200, taken };
  const server = createServer(async (req, res) => {
    const event = (await json(req)) as Event;
    if (bus.status === 200) taken.push(event);
    res.writeHead(bus.status).end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const close = () => new Promise((closed) => server.close(closed));
  return Object.assign(bus, { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, close });
}

const created = (data: object) => ({ type: 'CommentCreated', data });

describe('towards any bus', () => {
  /** Runs a service behind a bus. */
  async function behind(
    name: string,
    run: (parts: {
      bus: Awaited<ReturnType<typeof startBus>>;
      url: string;
      restart: () => Promise<void>;
    }) => Promise<void>,
  ) {
    const bus = await startBus();
    const [port] = await freePorts(1);
    const env = { PORT: `${port}`, EVENT_BUS_URL: bus.url, DATA_DIR: mkdtempSync(join(built, 'data ')) };
    let service = await start(name, env);
    const restart = async () => {
      await service.stop('SIGKILL');
      service = await start(name, env);
    };
    try {
      await run({ bus, url: `http://127.0.0.1:${port}/events`, restart });
    } finally {
      await service.stop();
      await bus.close();
    }
  }

  for (const name of names)
    testIn(name)(
      `${name}: a verdict follows from the comment alone, its id from the comment's, and all else has no effect`,
      () =>
        behind(name, async ({ bus, url }) => {
          const comments = [
            { id: 'a', postId: 'p', content: 'an ORANGE "day"\n\\' },
            { id: 7, postId: 1, content: 'żółw, {[' },
            { id: 'c', postId: 'p' },
            { id: 'd', postId: 'p', content: 5, more: { content: 'orange' } },
          ];
          for (const data of comments) expect((await post(url, created(data))).status).toBeLessThan(300);
          await until('all verdicts', () => bus.taken.length === 4);
          expect(bus.taken).toMatchObject([
            { id: 'a/CommentModerated', source: 'moderation', data: { ...comments[0], status: 'rejected' } },
            { id: '7/CommentModerated', type: 'CommentModerated', data: { ...comments[1], status: 'approved' } },
            { id: 'c/CommentModerated', data: { status: 'approved' } },
            { id: 'd/CommentModerated', data: { id: 'd', postId: 'p', content: 5, status: 'approved' } },
          ]);

          const ignored = [
            { type: 'PostCreated', data: { id: '1' } },
            { type: 'Odd', data: [1] },
            { type: 'CommentUpdated' },
          ];
          for (const event of ignored) expect((await post(url, event)).status).toBeLessThan(300);
          const poison = [created([]), created({ content: 'no id' }), { type: 'CommentCreated' }, 'no event'];
          for (const event of poison) expect([400, 422]).toContain((await post(url, event)).status);
          const garbage = await fetch(url, { method: 'POST', body: '{"type": "Comm' });
          expect([400, 422]).toContain(garbage.status);
          expect(bus.taken).toHaveLength(4);

          if (kindOf(name) === 'checkpointed') return;
          // No 2xx before the bus has the verdict: so the comment comes again.
          const event = created({ id: 'a', postId: 'p', content: 'fine' });
          bus.status = 503;
          expect((await post(url, event)).status).toBeGreaterThanOrEqual(500);
          await bus.close();
          expect((await post(url, event)).status).toBeGreaterThanOrEqual(500);
        }),
    );

  for (const name of names.filter((one) => kindOf(one) === 'checkpointed')) {
    const at = (position: number) => `${position}-${'a'.repeat(32)}`;
    const push = (url: string, after: number, upto: number, more = {}) =>
      request(url, {
        method: 'POST',
        body: [created({ id: `${upto}`, postId: 'p', content: 'fine' })],
        headers: { 'event-after': at(after), 'event-upto': at(upto), ...more },
      });

    testIn(name)(`${name}: verdict and checkpoint are stored together, and survive kill -9`, () =>
      behind(name, async ({ bus, url, restart }) => {
        bus.status = 503;
        expect((await get(url)).body).toEqual({ checkpoint: '0', replay: null });
        expect((await push(url, 0, 1)).body).toEqual({ checkpoint: at(1), replay: null });
        await restart();
        expect((await get(url)).body).toMatchObject({ checkpoint: at(1) });
        bus.status = 200;
        await until('its verdict', () => bus.taken.length === 1);
      }),
    );

    testIn(name)(`${name}: a push that does not continue from its checkpoint is a 409, and has no effect`, () =>
      behind(name, async ({ bus, url }) => {
        await push(url, 0, 1);
        for (const [after, upto] of [
          [0, 1],
          [5, 6],
        ] as const) {
          const { status, body } = await push(url, after, upto);
          expect({ status, body }).toEqual({ status: 409, body: { checkpoint: at(1), replay: null } });
        }
        await push(url, 1, 2);
        await until('both verdicts', () => bus.taken.length === 2);
        expect(bus.taken.map(({ id }) => id)).toEqual(['1/CommentModerated', '2/CommentModerated']);
      }),
    );

    testIn(name)(`${name}: a replay is taken once, and announces its verdicts again with the same ids`, () =>
      behind(name, async ({ bus, url }) => {
        await push(url, 0, 1);
        await push(url, 1, 2);
        await until('both verdicts', () => bus.taken.length === 2);
        const order = { 'event-replay': 'r' };
        expect((await push(url, 0, 1, order)).body).toEqual({ checkpoint: at(1), replay: 'r' });
        expect((await push(url, 0, 1, order)).status).toBe(409);
        await until('one again', () => bus.taken.length === 3);
        expect(bus.taken[2]).toEqual(bus.taken[0]);
      }),
    );
  }
});
