// A publisher's crash between its commit and the bus's answer, or between that answer and the deletion of its outbox
// rows.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { check, takeSnapshot, type Write } from '../lib/checker.ts';
import { post } from '../lib/http.ts';
import { type System, startSystem } from '../lib/system.ts';
import { type Written, writePost, writesOf } from '../lib/writers.ts';

let system: System;
const written: Written[] = [];
const unanswered: Write[] = [];

beforeAll(async () => {
  system = await startSystem('--production', '--without', 'client');
});
afterAll(() => system?.stop());

const outbox = (name: string) => system.rows(name, 'SELECT event FROM outbox').map(({ event }) => String(event));

/** Writes one post with a comment, each retried until it is acknowledged. */
function startWriting(title: string): Promise<Written> {
  const writing = writePost(system, title, 1);
  writing.catch(() => {}); // not awaited by a test that fails earlier
  return writing;
}

/** The number of entries of this event in the log. */
async function inLog(event: string): Promise<number> {
  const { source, id } = JSON.parse(event);
  return (await system.log()).filter((entry) => entry.source === source && entry.id === id).length;
}

async function expectEverythingOnce(): Promise<void> {
  await system.quiet();
  expect(check([...writesOf(written), ...unanswered], await takeSnapshot(system))).toEqual([]);
}

describe.each(['posts', 'comments', 'moderation'])('%s, killed', (name) => {
  test.each([
    ['after its commit, before the event is sent', 'read-not-sent', 0],
    ['after the event is sent, before its row goes', 'sent-not-forgotten', 1],
  ] as const)('%s, sends it after its restart, and the log has it once', async (_, point, entries) => {
    const died = await system.runTo(point, name);
    const writing = startWriting(`${name} dies at ${point}`);
    await died();
    expect(outbox(name)).toHaveLength(1);
    const [event = ''] = outbox(name);
    expect(await inLog(event)).toBe(entries);

    await system.startPart(name);
    written.push(await writing);
    await expectEverythingOnce();
    expect(await inLog(event)).toBe(1);
  });
});

test.each([
  ['posts', '/posts', 'title'],
  ['comments', '/posts/:known/comments', 'content'],
])(
  '%s, killed before it answers its caller, publishes what it has stored, even without a retry',
  async (name, path, field) => {
    const known = await writePost(system, `known before ${name} dies`, 0);
    written.push(known);
    await system.quiet();
    const died = await system.runTo('written-not-answered', name);
    const text = `${name} dies before its answer`;
    await expect(post(system.url(name) + path.replace(':known', known.id), { [field]: text })).rejects.toThrow();
    await died();
    const [stored] = system.rows(name, `SELECT id FROM ${name} WHERE ${field} = '${text}'`);
    unanswered.push({
      kind: name === 'posts' ? 'post' : 'comment',
      text,
      postId: known.id,
      key: text,
      outcome: 'unknown',
    });

    await system.startPart(name);
    await expectEverythingOnce();
    const subjects = (await system.log()).map(({ type, subject }) => `${type} ${subject}`);
    expect(subjects).toContain(`${name === 'posts' ? 'PostCreated' : 'CommentCreated'} ${stored?.id}`);
  },
);

test('the bus, killed between its commit and its answer, gets the event again, and the log has it once', async () => {
  const died = await system.runTo('logged-not-answered', 'event-bus');
  const writing = startWriting('the bus dies before its answer');
  await died();
  const [event = '{}'] = outbox('posts');
  const logged = system.rows('event-bus', 'SELECT id FROM events ORDER BY position DESC LIMIT 1');
  expect(logged).toEqual([{ id: JSON.parse(event).id }]);

  await system.startPart('event-bus');
  written.push(await writing);
  await expectEverythingOnce();
  expect(await inLog(event)).toBe(1);
});
