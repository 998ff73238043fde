// Comments on a post that the comments service does not know yet.

import { join } from 'node:path';
import { openDatabase } from '@blog/common/core/database.ts';
import type { Relay } from '@blog/common/core/relay.ts';
import type { Subscriber } from '@blog/common/core/subscriber.ts';
import { afterAll, afterEach, beforeEach, expect, test } from '@jest/globals';
import { at, FakeBus } from '../../common/test/fake-bus.ts';
import { newFolder, removeFolders, type Service, until } from '../../common/test/service.ts';
import { migrations } from '../src/schema.ts';
import { createWaitingRoom } from '../src/waiting-room.ts';
import { postCreated, startComments } from './comments-service.ts';

let service: Service;
beforeEach(async () => {
  service = await startComments();
});
afterEach(() => service.close());
afterAll(removeFolders);

/** A subscription that is up to date. */
const subscriber = {
  hearsBus: true,
  askHead: () => Promise.resolve(at(5)),
  has: () => Promise.resolve(true),
} as unknown as Subscriber;

const send = (post: string) => service.http.post(`/posts/${post}/comments`).send({ content: 'a' });
/** Tells the service the bus's head, by an empty push. */
const hear = (upto: string, head: string) => service.push([], { after: at(0), upto, head }).expect(200);

test('while the bus has not been heard from it is a 503 at once, with Retry-After, because the post may exist', async () => {
  const { headers, type } = await send('unknown').expect(503);
  expect([headers['retry-after'], type]).toEqual(['1', 'application/problem+json']);
  // One that waits would wait for this answer, too.
  const askHead = () => new Promise(() => {});
  const room = createWaitingRoom(
    service.db,
    { ...subscriber, hearsBus: false, askHead } as unknown as Subscriber,
    {
      fails: false,
    } as Relay,
  );
  await expect(room.waitFor('unknown')).rejects.toMatchObject({ status: 503 });
});

test('it waits for the post, and is accepted once that arrives', async () => {
  await hear(at(1), at(1));
  let position = 1;
  const arrive = async (id: string) => {
    await service.push([postCreated(id)], { after: at(position), upto: at(position + 1) }).expect(200);
    position += 1;
  };
  // Once more, with another post, where this machine took longer than a comment waits.
  await until(async () => {
    const late = `late-${position}`;
    const waiting = Promise.all([send(late), send(late)]);
    await arrive(`other-${position}`);
    await arrive(late);
    return (await waiting).every(({ status, body }) => status === 201 && body.postId === late);
  });
});

/** A service with a bus that has this many events, of which it has got the first ones. */
async function withBus(events: number, told: number): Promise<FakeBus> {
  const bus = await new FakeBus().open();
  bus.log = Array.from({ length: events }, () => ({ type: 'Other', data: {} }));
  await service.close();
  service = await startComments({ busUrl: bus.url });
  await service.push([], { after: at(0), upto: at(told), head: at(events) }).expect(200);
  return bus;
}

test('while the bus answers and all of its log is applied it is a 404', async () => {
  const bus = await withBus(5, 5);
  const { body } = await send('unknown').expect(404);
  expect(body.errors).toEqual([{ field: 'id', detail: expect.any(String) }]);
  expect(body.detail).toBe('No post with this id has come here. If it was written just now, try again in a while.');
  expect(await service.rows('SELECT 1 FROM outbox')).toEqual([]);
  await bus.close();
});

test('while events are still in flight it is a 503; once they have come, a 404', async () => {
  const bus = await withBus(9, 5);
  await send('unknown').expect(503);
  const waiting = send('unknown').then(({ status }) => status);
  await until(() => bus.questions > 1);
  await service.push([], { after: at(5), upto: at(9), head: at(9) }).expect(200);
  expect(await waiting).toBe(404);
  await bus.close();
});

test('if the bus has another history it is a 503', async () => {
  const bus = await withBus(5, 5);
  bus.history = 'b';
  await send('unknown').expect(503);
  bus.log = [];
  await send('unknown').expect(503);
  await bus.close();
});

test('if the bus has just gone down it is a 503, even right after its last message', async () => {
  await hear(at(5), at(5));
  const { body } = await send('unknown').expect(503);
  expect(body.detail).toContain('the event bus is away');
});

test("after a failed publication it is a 503, even right after the bus's last message", async () => {
  await service.push([postCreated('known')], { after: at(0), upto: at(5), head: at(5) }).expect(200);
  await send('known').expect(201);
  await until(async () => {
    const { body } = await service.http.get('/readyz');
    return body.degraded.some((line: string) => line.startsWith('Publishing waits'));
  });
  const { body } = await send('unknown').expect(503);
  expect(body.detail).toContain('the event bus is away');
});

test('behind a classic bus, which never names its head, it is a 404', async () => {
  await service.push(postCreated('p')).expect(200);
  await send('unknown').expect(404);
});

test('waiting requests are answered as soon as the post is here; a thousand may wait, and the next one is a 503', async () => {
  const db = openDatabase(join(newFolder(), 'comments.db'), migrations);
  const room = createWaitingRoom(db, subscriber, { fails: false } as Relay);
  const enter = (post: string) =>
    room.waitFor(post).then(
      () => `${post} 201`,
      ({ status }) => `${post} ${status}`,
    );
  const never = enter('never');
  const waiting = Array.from({ length: 999 }, () => enter('late'));
  expect(await enter('late')).toBe('late 503');
  await db.write((tx) => tx.run("INSERT INTO posts VALUES ('late')"));
  room.arrived('late');
  expect(await Promise.race([never, ...waiting])).toBe('late 201');
  expect(new Set(await Promise.all(waiting))).toEqual(new Set(['late 201']));
  expect(await Promise.all([never, enter('another')])).toEqual(['never 404', 'another 404']);
  await db.close();
});

test('a post that comes at the very end, with the events up to the head, is never denied', async () => {
  const db = openDatabase(join(newFolder(), 'comments.db'), migrations);
  const has = async () => {
    await db.write((tx) => tx.run("INSERT INTO posts VALUES ('late')"));
    return true;
  };
  const room = createWaitingRoom(db, { ...subscriber, has } as unknown as Subscriber, { fails: false } as Relay);
  await room.waitFor('late');
  await db.close();
});

test('when this service stops, waiting and new requests are told at once to try again', async () => {
  const db = openDatabase(join(newFolder(), 'comments.db'), migrations);
  const room = createWaitingRoom(db, subscriber, { fails: false } as Relay);
  const enter = () => room.waitFor('new').catch(({ status, message }) => `${status} ${message}`);
  const waiting = Array.from({ length: 1_000 }, enter);
  expect(await enter()).toContain('Too many'); // so all slots are taken
  room.end();
  for (const told of [...(await Promise.all(waiting)), await enter()]) {
    expect(told).toBe('503 Whether this post exists cannot be told: this service is stopping.');
  }
  await db.close();
});
