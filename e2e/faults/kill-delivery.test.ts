// A crash during a delivery: between its effect and the answer, or between the answer and the bus's write of the
// position.
import { once } from 'node:events';
import { createServer } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { positionOf } from '../../common/src/core/checkpoint.ts';
import { check, takeSnapshot } from '../lib/checker.ts';
import { post, until } from '../lib/http.ts';
import { type System, startSystem } from '../lib/system.ts';
import { type Written, writeComment, writePost, writesOf } from '../lib/writers.ts';

let system: System;
const written: Written[] = [];

beforeAll(async () => {
  system = await startSystem('--production', '--without', 'client');
});
afterAll(() => system?.stop());

const order = (name: string, command: string) =>
  post(`${system.url('event-bus')}/subscriptions/${name}/${command}`).then(({ status }) => expect(status).toBe(200));

/** The position that the bus keeps of a subscription, on disk. */
const kept = (name: string) =>
  Number(system.rows('event-bus', `SELECT position FROM subscriptions WHERE name = '${name}'`)[0]?.position);
/** The checkpoint that a subscriber keeps in its own database. */
const ownPosition = (name: string) =>
  positionOf(String(system.rows(name, 'SELECT checkpoint FROM stand')[0]?.checkpoint));
const head = async () => Number.parseInt(await system.head(), 10);

async function expectEverythingOnce(): Promise<void> {
  await system.quiet();
  expect(check(writesOf(written), await takeSnapshot(system))).toEqual([]);
}

describe('a subscriber killed between effect and answer', () => {
  test.each([
    ['query', 'query', 'SELECT content, id, seq FROM comments ORDER BY seq'],
    ['moderation', 'moderation', "SELECT event ->> '$.data.content' AS content, event FROM verdicts ORDER BY rowid"],
    ['comments', 'moderation', "SELECT content, seq, status FROM comments WHERE status <> 'pending' ORDER BY seq"],
  ])('%s has the effect, and after its restart no second one', async (name, held, effects) => {
    const newPost = await writePost(system, `${name} dies before its answer`, 0);
    written.push(newPost);
    await system.quiet();
    await order(held, 'pause');
    await writeComment(system, newPost);
    const { id, content } = newPost.comments[0] ?? {};
    await until('the log has it, and comments is past it', async () => {
      return (await system.log()).some(({ subject }) => subject === id) && ownPosition('comments') === (await head());
    });
    const died = await system.runTo('applied-not-answered', name);
    expect(system.rows(name, effects)).not.toContainEqual(expect.objectContaining({ content }));
    await order(held, 'resume');
    await died();

    const applied = system.rows(name, effects);
    expect(applied).toContainEqual(expect.objectContaining({ content }));
    expect(kept(name)).toBeLessThan(ownPosition(name));

    await system.startPart(name);
    await expectEverythingOnce();
    expect(system.rows(name, effects).slice(0, applied.length)).toEqual(applied);
  });
});

describe('the bus, killed between answer and position,', () => {
  const others = ['posts', 'comments', 'moderation'];

  test('delivers again to a plain subscriber only', async () => {
    const got: number[] = [];
    const plain = createServer((req, res) => {
      if (req.method === 'POST') got.push(Number.parseInt(String(req.headers['event-upto']), 10));
      res.writeHead(req.method === 'POST' ? 200 : 404).end();
    });
    await system.part('stop query');
    await once(plain.listen(system.ports.query, '127.0.0.1'), 'listening');
    try {
      // Only the plain subscriber's position is advanced by the bus, so only that is where it dies.
      for (const name of others) await order(name, 'pause');
      const died = await system.runTo('answered-not-advanced', 'event-bus');
      written.push(await writePost(system, 'the bus dies before it moves on', 0));
      await died();
      const [position] = got;
      expect(got).toEqual([kept('query') + 1]);

      await system.startPart('event-bus');
      await until('it moves on', () => kept('query') === position);
      expect(got).toEqual([position, position]);
      for (const name of others) await order(name, 'resume');
    } finally {
      plain.closeAllConnections();
      plain.close();
    }
    await system.startPart('query');
    await expectEverythingOnce();
  });

  test('asks a checkpointed subscriber, and continues at its checkpoint', async () => {
    for (const name of others) await order(name, 'pause');
    const died = await system.runTo('answered-not-advanced', 'event-bus');
    written.push(await writePost(system, 'the bus dies before it moves query on', 0));
    await died();
    expect(kept('query')).toBeLessThan(ownPosition('query'));
    const revision = () => system.rows('query', 'SELECT revision FROM model');
    const before = revision();

    await system.startPart('event-bus');
    await until('it moves on', () => kept('query') === ownPosition('query'));
    expect(revision()).toEqual(before);
    for (const name of others) await order(name, 'resume');
    await expectEverythingOnce();
  });
});
