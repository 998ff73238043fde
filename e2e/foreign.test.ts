// Parts of the classic version, unchanged: one in the place of ours, or the bus behind which ours run.
import { networkInterfaces } from 'node:os';
import { isDeepStrictEqual } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { SERVERS, SERVICES, urlSetting } from '../common/src/run/parts.ts';
import { get, post, readModel, until } from './lib/http.ts';
import { type System, startProcess, startSystem } from './lib/system.ts';
import { expected, shown, type Written, writeComment, writePost } from './lib/writers.ts';

let system: System;
let written: Written[] = [];

async function start(...without: string[]): Promise<void> {
  system = await startSystem('--production', ...without.flatMap((name) => ['--without', name]));
  written = [];
}

const startClassic = (name: string, more: NodeJS.ProcessEnv = {}) => {
  const urls = SERVERS.map((part) => [urlSetting(part), system.url(part)]);
  const env = {
    PORT: `${system.ports[name]}`,
    ...Object.fromEntries(urls),
    ...more,
  };
  return startProcess(`bench/naive/${name}.ts`, env);
};

async function write(title: string): Promise<void> {
  written.push(await writePost(system, title));
}

const sorted = (posts: Written[]) =>
  posts.map(({ comments, ...post }) => ({ ...post, comments: comments.toSorted((a, b) => (a.id < b.id ? -1 : 1)) }));

/**
 * Checks that each post and comment is shown once, with its verdict, by our query or a classic one. In any order,
 * because a classic bus keeps none.
 */
async function expectAllShown(): Promise<void> {
  const all = sorted(expected(written));
  const now = async () => sorted(shown(await readModel(system.url('query'))));
  await until('all is shown', async () => isDeepStrictEqual(await now(), all)).catch(() => {});
  expect(await now()).toEqual(all);
}

describe('behind our bus', () => {
  beforeAll(() => start('client'));
  afterAll(() => system.stop());

  test.each(['moderation', 'query', 'comments', 'posts'])(
    'a classic %s is swapped in for ours and back, and no post, comment or verdict is lost or duplicated',
    async (name) => {
      await write(`before the classic ${name}`);
      await system.quiet();

      await system.part(`stop ${name}`);
      const classic = await startClassic(name);
      try {
        await expectAllShown(); // also by a classic query, which has only what the bus tells it
        await write(`by the classic ${name}`);
        await write(`by the classic ${name} again`);
        await expectAllShown();
        // The bus asks again after a backoff that grew while the part was down.
        await until(`${name} is known as plain`, async () =>
          (await system.subscriptions()).some((one) => one.name === name && one.kind === 'plain'),
        );
      } finally {
        await classic.stop();
      }

      await system.part(`start ${name}`);
      await write(`after the classic ${name}`);
      await system.quiet();
      await expectAllShown();
      // The owners have everything too: writes through the classic parts came back from the log.
      const owned = Object.keys((await get(`${system.url('posts')}/posts`)).body);
      expect(owned.sort()).toEqual(written.map(({ id }) => id).sort());
      for (const { id, comments } of written) {
        expect((await get(`${system.url('comments')}/posts/${id}/comments`)).body).toMatchObject(comments);
      }
    },
  );

  /** Replaces a part by a classic one, and ends that again. */
  async function swapAndStop(name: string): Promise<void> {
    await system.part(`stop ${name}`);
    const classic = await startClassic(name);
    await until(`${name} is known as plain and has it all`, async () =>
      (await system.subscriptions()).some((one) => one.name === name && one.kind === 'plain' && one.lag === 0),
    ).finally(classic.stop);
  }

  const onIpv6 = Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === '::1'));
  (onIpv6 ? test : test.skip)("a part of one's own that listens on ::1 alone is reached", async () => {
    await system.part('stop moderation');
    const classic = await startClassic('moderation', { HOST: '::1' });
    await write('judged on ::1');
    await expectAllShown().finally(classic.stop);
    await system.part('start moderation');
    await system.quiet();
  });

  test('a classic moderation that was down judges the comments that it missed', async () => {
    await swapAndStop('moderation');
    await write('while the classic moderation is away');
    const classic = await startClassic('moderation');
    await expectAllShown().finally(classic.stop);
    await system.part('start moderation');
    await system.quiet();
    await expectAllShown();
  });

  test('a classic query that was down reads the history, and then gets the missed events again, with the same ids', async () => {
    const old = await writePost(system, 'before the classic query is away', 0);
    written.push(old);
    await swapAndStop('query');
    await writeComment(system, old);
    const control = (command: string) => post(`${system.url('event-bus')}/subscriptions/query/${command}`);
    await control('pause'); // until it has read the history
    const classic = await startClassic('query');
    try {
      const id = old.comments[0]?.id;
      const shown = async () => (await get(`${system.url('query')}/posts`)).body[old.id]?.comments;
      await until('the history', async () => (await shown())?.length === 1);
      await control('resume');
      // It ignores event ids, and so shows the comment twice.
      await until('both', async () => (await shown()).length === 2);
      expect(await shown()).toMatchObject([{ id }, { id }]);
    } finally {
      await classic.stop();
      await control('resume');
      await system.part('start query');
    }
    await system.quiet();
    await expectAllShown();
  });

  test('the verdict of a classic moderation stands when ours, swapped back in, decides differently', async () => {
    const { id: postId } = await writePost(system, 'fruit', 0);
    await system.part('stop moderation');
    const classic = await startClassic('moderation');
    const url = `${system.url('comments')}/posts/${postId}/comments`;
    // The classic one matches case-sensitively.
    const { id } = (await post(url, { content: 'an ORANGE' })).body;
    const statuses = async () => (await get(`${system.url('query')}/posts/${postId}`)).body.comments;
    await until('its verdict', async () => (await statuses())[0]?.status === 'approved').finally(classic.stop);

    await system.part('start moderation');
    const verdicts = async () =>
      (await system.log()).filter(({ subject, type }) => subject === id && type === 'CommentModerated');
    await until('a second verdict', async () => (await verdicts()).length === 2);
    await system.quiet();
    expect(await verdicts()).toMatchObject([{ data: { status: 'approved' } }, { data: { status: 'rejected' } }]);
    expect(await statuses()).toMatchObject([{ id, status: 'approved' }]);
    expect((await get(url)).body).toMatchObject([{ id, status: 'approved' }]);
  });
});

describe('behind a classic bus', () => {
  let bus: Awaited<ReturnType<typeof startClassic>>;

  beforeAll(async () => {
    await start('client', 'event-bus');
    bus = await startClassic('event-bus');
    // Each service asks once which kind of bus there is, and then applies its history; better while there is none.
    await Promise.all(SERVICES.map(hearsBus));
  });
  afterAll(async () => {
    await bus.stop();
    await system.stop();
  });

  const hearsBus = (name: string) =>
    until(`${name} hears the bus`, async () => (await get(`${system.url(name)}/readyz`)).body.degraded.length === 0);

  test('our services show every post, and every comment with its verdict', async () => {
    for (let n = 0; n < 3; n++) await write(`post ${n}`);
    await expectAllShown();
  });

  test('a new query gets the whole history', async () => {
    await system.part('stop query');
    system.deleteDatabase('query');
    await system.startPart('query');
    await expectAllShown();
  });

  test.each([
    ['query', 13],
    ['moderation', 5],
    ['comments', 1], // the post; its comments are not accepted meanwhile
  ])('a %s that was down gets the events that it missed, %i or more', async (name, events) => {
    // A classic bus repeats events, because it recognises none, so there may be more.
    const missed = () => bus.output().split(`127.0.0.1:${system.ports[name]}`).length - 1;
    const before = missed();
    await system.part(`stop ${name}`);
    const writing = write(`while ${name} is away`);
    if (name !== 'comments') await writing;
    await until('the events are lost', () => missed() >= before + events);
    await system.part(`start ${name}`);
    await writing;
    await expectAllShown();
  });

  test('events written while the bus is down are published when it is back', async () => {
    await bus.stop();
    written.push(await writePost(system, 'without a bus', 0));
    bus = await startClassic('event-bus');
    await expectAllShown();
  });
});
