// Events that follow from an accepted event are accepted too, so no comment waits for its verdict for ever.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Database, openDatabase } from '@blog/common/core/database.ts';
import { apply, EVENT_TYPES, type Handlers, type KnownEvent, parseEvent } from '@blog/common/core/events.ts';
import { Problem } from '@blog/common/core/problem.ts';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Request } from 'express';
import fc from 'fast-check';
import { handlers as commentsHandlers } from '../../comments/src/comments.ts';
import { migrations as commentsMigrations } from '../../comments/src/schema.ts';
import { unit } from '../../common/test/requests.ts';
import { createHandlers } from '../../moderation/src/moderation.ts';
import { migrations as moderationMigrations } from '../../moderation/src/schema.ts';
import { append } from '../src/log.ts';
import { parsePublication } from '../src/publication.ts';
import { migrations } from '../src/schema.ts';
import { EVENT } from './bus.ts';

let folder: string;
let [log, comments, moderation]: Database[] = [];
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'carried-on-'));
  const open = (name: string, migrations: string[]) => openDatabase(join(folder, name), migrations);
  log = open('log.db', migrations);
  comments = open('comments.db', commentsMigrations);
  moderation = open('moderation.db', moderationMigrations);
});
afterAll(async () => {
  await Promise.all([log, comments, moderation].map((db) => db?.close()));
  rmSync(folder, { recursive: true });
});

/** Publishes an event of a service; returns it as the bus pushes it. */
async function publish(event: unknown, type = 'application/json'): Promise<KnownEvent> {
  const events = parsePublication({ body: event, is: (asked: string) => asked === type } as unknown as Request);
  const { entries } = (await log?.write((tx) => append(tx, events))) ?? { entries: [] };
  return parseEvent(JSON.parse(entries[0]?.record ?? 'null'), EVENT_TYPES) as KnownEvent;
}

/** The events that the service publishes as a consequence of an event. */
async function follow(db: Database | undefined, handlers: Handlers<unknown>, event: KnownEvent) {
  const row = await db?.write((tx) => {
    apply(handlers, tx, event);
    return tx.get<{ event: string }>('SELECT event FROM outbox ORDER BY seq DESC LIMIT 1');
  });
  return row && JSON.parse(row.event);
}

const judge = async (comment: KnownEvent) =>
  publish(
    await follow(
      moderation,
      createHandlers(['orange'], () => true),
      comment,
    ),
  );

async function update(verdict: KnownEvent, comment?: KnownEvent): Promise<void> {
  if (comment) await follow(comments, commentsHandlers, comment);
  await publish(await follow(comments, commentsHandlers, verdict));
}

const odd = fc.oneof(unit, fc.constantFrom('\0', '\ud83c', '\udf4a', '\u0001', '中'));
const id = fc.oneof(fc.string({ unit: odd, minLength: 1, maxLength: 250 }), fc.string({ unit: odd, minLength: 195 }));
const created = fc.record({
  form: fc.constantFrom('application/json', EVENT),
  id,
  postId: id,
  content: fc.oneof(fc.string({ unit: odd }), fc.constantFrom(5, null, {})),
  createdAt: fc.constantFrom(undefined, 'yesterday', '2026-01-01T00:00:00Z'),
});

test('every CommentCreated that the log accepts gets its verdict, and the verdict its update, with any content', async () => {
  let [taken, refused] = [0, 0];
  const seen = new Set<string>();
  const property = fc.asyncProperty(created, async ({ form, ...data }) => {
    // All runs share one log: a comment has one verdict there, so a repeated id would test nothing.
    fc.pre(!seen.has(data.id));
    seen.add(data.id);
    const attributes = form === EVENT ? { specversion: '1.0', id: `${++taken}`, source: 'foreign' } : {};
    let comment: KnownEvent;
    try {
      comment = await publish(JSON.parse(JSON.stringify({ ...attributes, type: 'CommentCreated', data })), form);
      taken += 1;
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      refused += 1;
      return;
    }
    await update(await judge(comment), comment);
    const rows = await comments?.read((tx) => tx.all('SELECT status FROM comments WHERE id = ?', comment.data.id));
    expect(rows).toEqual([{ status: expect.stringMatching(/approved|rejected/) }]);
  });
  await fc.assert(property, { numRuns: 200 });
  expect([taken > 20, refused > 20]).toEqual([true, true]);
});

/** Publishes the event with the longest text that the log accepts. */
async function largest(type: string, data: object, from = 0, to = 256 * 1024): Promise<KnownEvent> {
  const half = Math.ceil((from + to) / 2);
  const event = { type, data: { ...data, content: 'x'.repeat(half) } };
  if (from + 1 >= to) return publish({ ...event, data: { ...data, content: 'x'.repeat(from) } });
  const isTaken = await publish(event).then(
    () => true,
    (error) => expect(error).toMatchObject({ status: 413 }),
  );
  return isTaken ? largest(type, data, half, to) : largest(type, data, from, half);
}

test('the largest comment and verdict that the log accepts are processed, with ids of the maximum size', async () => {
  const ids = (n: number) => ({ id: `${n}`.padStart(200, '\u0001'), postId: '\u0001'.repeat(200) });
  const comment = await largest('CommentCreated', ids(1));
  await update(await judge(comment), comment);
  await update(await largest('CommentModerated', { ...ids(2), status: 'approved' }));
});
