// The verdicts of the moderation service.

import { afterAll, afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { at, FakeBus } from '../../common/test/fake-bus.ts';
import { Scrape } from '../../common/test/scrape.ts';
import { defined, newFolder, removeFolders, Service, until } from '../../common/test/service.ts';
import { moderation } from '../src/app.ts';
import { judge } from '../src/moderation.ts';

const configured = (words?: string) =>
  moderation.settings.parse(words === undefined ? {} : { BANNED_WORDS: words }).BANNED_WORDS;

describe('a comment', () => {
  test.each([
    ['orange', 'orange'],
    ['ORANGE', 'orange'],
    ['blorangeade', 'orange'],
    ['ｏｒａｎｇｅ', 'orange'],
    ['I like pears', 'apple, Pear'],
    ['STRASSE: ein Café', 'x,CAFE\u0301'],
    ['two words', 'two words'],
  ])('%j is rejected where %j is banned', (content, words) => {
    expect(judge(content, configured(words))).toBe('rejected');
  });

  test.each([
    ['or ange', 'orange'],
    ['', 'orange'],
    ['a.b', 'a?b,.*'],
  ])('%j is approved where %j is banned', (content, words) => {
    expect(judge(content, configured(words))).toBe('approved');
  });

  test('is rejected for orange unless words are set; an empty word is no setting', () => {
    expect(configured()).toEqual(['orange']);
    expect(() => configured('a,,b')).toThrow(/separated by commas/);
  });
});

describe('the service', () => {
  let bus: FakeBus;
  let folder: string;
  let service: Service;
  const start = async (env: Record<string, string> = {}) => {
    service = await new Service(defined(moderation, env), bus.url, folder).open();
  };
  beforeEach(async () => {
    bus = await new FakeBus().open();
    folder = newFolder();
    await start();
  });
  afterEach(async () => {
    await service.close();
    await bus.close();
  });
  afterAll(removeFolders);

  const created = (content: unknown, id = 'c') => ({
    type: 'CommentCreated',
    data: { id, postId: 'p', content, status: 'pending' },
  });
  const said = () => bus.publications.flatMap(({ body }) => body);
  const rows = () => service.rows<{ id: string; status: string }>('SELECT id, status FROM verdicts ORDER BY seq');

  test('publishes its verdict as CommentModerated, whatever status the comment came with', async () => {
    await service.push({
      type: 'CommentCreated',
      data: { id: 'c', postId: 'p', content: 'an orange', status: 'approved' },
    });
    await until(() => bus.log.length === 1);
    expect(bus.log).toEqual([
      {
        ...{
          specversion: '1.0',
          id: 'c/CommentModerated',
          source: 'moderation',
          type: 'CommentModerated',
          subject: 'c',
        },
        ...{ time: expect.any(String), data: { id: 'c', postId: 'p', content: 'an orange', status: 'rejected' } },
      },
    ]);
  });

  test('gives its verdict the trace of the comment; an invalid one is ignored', async () => {
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    await service.history([
      { ...created('a', 'c'), traceparent },
      { ...created('a', 'd'), traceparent: 'none' },
    ]);
    await until(() => bus.log.length === 2);
    expect(bus.log.map((event) => event.traceparent)).toEqual([traceparent, undefined]);
  });

  test('makes a verdict once: a comment seen again publishes the same event, whatever words are banned by then', async () => {
    await service.history([created('a pear')]).expect(200);
    await until(() => bus.log.length === 1);
    await service.close();
    await start({ BANNED_WORDS: 'pear' });
    await service.push([created('a pear'), created('a pear', 'd')], { after: at(1), upto: at(3) }).expect(200);
    await until(() => said().length === 3);
    const [first, again, other] = said();
    expect(again).toEqual(first);
    expect([first, other].map(({ data }) => data.status)).toEqual(['approved', 'rejected']);
  });

  test('stores verdict, event and checkpoint atomically', async () => {
    const { status } = await service.history([created('a'), { type: 'CommentCreated', data: { id: 'c2' } }]);
    expect([status, await rows(), await service.rows('SELECT 1 FROM outbox')]).toEqual([422, [], []]);
  });

  test('gets a lost verdict back from its own event, and does not judge again', async () => {
    const verdict = {
      type: 'CommentModerated',
      data: { id: 'c', postId: 'p', content: 'an orange', status: 'approved' },
    };
    await service.history([verdict, { ...verdict, data: { ...verdict.data, status: 'rejected' } }]).expect(200);
    expect(await rows()).toEqual([{ id: 'c', status: 'approved' }]);
    expect(said()).toEqual([]);
    await service.push(created('an orange')).expect(200);
    await until(() => bus.log.length === 1);
    expect(bus.log[0].data).toEqual(verdict.data);
  });

  test('publishes no content that it does not know', async () => {
    await service.push(created(undefined)).expect(200);
    await until(() => bus.log.length === 1);
    expect(bus.log[0].data).toEqual({ id: 'c', postId: 'p', status: 'approved' });
  });

  test('republishes nothing on a replay order, and forgets the acknowledgements of the old log', async () => {
    await service.history([created('a')]).expect(200);
    await until(() => bus.log.length === 1);
    await service.push([], { after: at(0, 'b'), upto: at(0, 'b'), replay: 'r1' }).expect(200);
    await service.push([created('a', 'd')], { after: at(0, 'b'), upto: at(1, 'b') }).expect(200);
    await until(() => bus.publications.length === 2);
    expect(said().map(({ id }) => id)).toEqual(['c/CommentModerated', 'd/CommentModerated']);
    expect(bus.publications[1]?.headers['event-published']).toBe(at(0, 'b'));
  });

  test('counts a verdict once, when it is made: not if it is seen again, comes back, fails or is computed twice for one commit', async () => {
    const counted = async () => {
      const metrics = await Scrape.of(service.url);
      return ['approved', 'rejected'].map((status) => metrics.value('moderation_verdicts_total', { status }));
    };
    expect(await counted()).toEqual([0, 0]);
    await service.history([created('a'), created('a'), created('an orange', 'd')]).expect(200);
    await service.push(created('a')).expect(200);
    await service.push({ type: 'CommentModerated', data: { id: 'e', postId: 'p', status: 'approved' } }).expect(200);
    await service.push([created('a', 'f'), { type: 'CommentCreated', data: {} }]).expect(422);
    expect(await counted()).toEqual([1, 1]);

    // A work that ends its group's transaction: the others run again, each in a transaction of its own.
    let runs = 0;
    const write = service.db.write.bind(service.db);
    service.db.write = (work) => {
      const written = write((tx) => {
        runs += 1;
        return work(tx);
      });
      write((tx) => {
        tx.run('ROLLBACK');
        throw new Error('the disk is full');
      }).catch(() => {});
      return written;
    };
    await service.push(created('a', 'g')).expect(200);
    expect([runs, await counted()]).toEqual([2, [2, 1]]);
  });

  test('has no other addresses, and no page of another origin may call it', async () => {
    const { headers } = await service.http.get('/events').set('Origin', 'http://localhost:3000').expect(200);
    expect(headers['access-control-allow-origin']).toBeUndefined();
    await service.http.get('/verdicts').expect(404);
  });
});
