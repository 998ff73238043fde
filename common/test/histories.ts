// Random histories of a log, for property tests of projections.
import { join } from 'node:path';
import { type Database, openDatabase } from '@blog/common/core/database.ts';
import { apply, type EventType, type Handlers, parseEvent } from '@blog/common/core/events.ts';
import type { Tx } from '@blog/common/core/sqlite.ts';
import fc from 'fast-check';
import { newFolder } from './service.ts';

type Data = { id: string; postId?: string; status?: string; title?: string; content?: string };
export type Told = { type: EventType; time?: string; data: Data };
export type Step = Told | 'restart';

const id = fc.constantFrom('a', 'b', '7', '10', '__proto__', 'constructor', ' ', 'é🍊');
const text = fc.constantFrom('one', 'two', '', undefined);
const time = fc.constantFrom('2026-01-01T00:00:00Z', '2026-01-02T00:00:00Z');
const verdict = fc.constantFrom('approved', 'rejected', undefined);
const post = fc.record({ id, title: text, createdAt: time });
const comment = fc.record({ id, postId: id, content: text, createdAt: time, status: verdict });

/** Yields an event once or twice, each time without some optional fields. */
function copies(type: EventType, { createdAt, ...data }: Data & { createdAt?: string }): fc.Arbitrary<Told[]> {
  const kept = fc.subarray(Object.keys(data).filter((name) => !['id', 'postId', 'status'].includes(name)));
  const copy = fc.record({ kept, inData: fc.boolean(), inTime: fc.boolean() }).map(({ kept, inData, inTime }) => ({
    type,
    ...(createdAt && inTime ? { time: createdAt } : {}),
    data: {
      ...Object.fromEntries(
        Object.entries(data).filter(([name]) => ['id', 'postId', 'status', ...kept].includes(name)),
      ),
      ...(createdAt && inData ? { createdAt } : {}),
    } as Told['data'],
  }));
  return fc.array(copy, { minLength: 1, maxLength: 2 });
}

/** Posts and comments, some on posts that never come, with at most one verdict for each comment. */
export const history = (verdicts: EventType): fc.Arbitrary<Told[]> =>
  fc
    .tuple(
      fc.uniqueArray(post, { selector: ({ id }) => id, maxLength: 4 }),
      fc.uniqueArray(comment, { selector: ({ id }) => id, maxLength: 6 }),
    )
    .chain(([posts, comments]) =>
      fc.tuple(
        ...posts.map((data) => copies('PostCreated', data)),
        ...comments.map(({ status: _, ...data }) => copies('CommentCreated', data)),
        ...comments.flatMap(({ createdAt: _, ...data }) => (data.status ? [copies(verdicts, data)] : [])),
      ),
    )
    .map((events) => events.flat());

/** A contradictory history: different contents, and several verdicts, for the same few ids. */
export function quarrel(verdicts: EventType): fc.Arbitrary<Told[]> {
  const few = fc.constantFrom('a', '7');
  const maybe = fc.option(time, { nil: undefined });
  const words = fc.constantFrom('one', 'two', 'three');
  const any = fc.record({ id: few, postId: few, content: words, title: words, createdAt: maybe, status: verdict });
  const events = fc.oneof(
    any.chain(({ id, title, createdAt }) => copies('PostCreated', { id, title, createdAt })),
    any.chain(({ id, postId, content, createdAt }) => copies('CommentCreated', { id, postId, content, createdAt })),
    any.chain(({ id, postId, content, status }) => copies(verdicts, { id, postId, content, status })),
  );
  return fc.array(events, { maxLength: 20, size: 'max' }).map((told) => told.flat());
}

/** The events in any order, some repeated, with restarts in between. */
export const retold = (events: Told[]): fc.Arbitrary<Step[]> =>
  fc
    .array(fc.constantFrom<Step>(...events, 'restart'), { maxLength: 8 })
    .chain((more) => fc.shuffledSubarray([...events, ...more], { minLength: events.length + more.length }));

/** Applies the steps to a new database, up to each restart in one transaction; `look` is called after every event. */
export async function tell<T>(
  steps: Step[],
  migrations: readonly string[],
  handlers: Handlers,
  look: (tx: Tx) => T,
): Promise<T[]> {
  const file = join(newFolder(), 'told.db');
  const open = () => openDatabase(file, migrations);
  let db: Database = open();
  const looks: T[] = [await db.read(look)];
  for (let rest = steps; rest.length > 0; ) {
    const end = rest.indexOf('restart');
    const group = rest.slice(0, end === -1 ? rest.length : end) as Told[];
    const seen = await db.write((tx) => {
      const seen: T[] = [];
      for (const told of group) {
        const event = parseEvent(told, [told.type]);
        if (event) apply(handlers, tx, event);
        seen.push(look(tx));
      }
      return seen;
    });
    looks.push(...seen);
    rest = rest.slice(group.length + 1);
    await db.close();
    db = open();
  }
  await db.close();
  return looks;
}

type Row = Record<string, string | number | null>;

/** Illegal changes of rows between two looks: removed rows, changed known values, and verdicts taken back. */
export function losses(before: Row[], after: Row[]): string[] {
  return before.flatMap((row) => {
    const now = after.find(({ id }) => id === row.id);
    if (!now) return [`${row.id} is gone`];
    const changed = Object.keys(row).filter(
      (name) => row[name] !== null && row[name] !== 'pending' && name !== 'commentCount' && now[name] !== row[name],
    );
    return changed.map((name) => `${name} of ${row.id} was ${row[name]}, is ${now[name]}`);
  });
}
