// A worker thread that fills one part's database with a history, as the part itself would have stored it.
import { randomUUID } from 'node:crypto';
import { closeSync, fsyncSync, openSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { migrations as commentsSchema } from '../comments/src/schema.ts';
import type { CloudEvent } from '../common/src/core/events.ts';
import { fileOf } from '../common/src/run/data.ts';
import { fillLog, openToFill } from '../e2e/lib/fill.ts';
import { migrations as moderationSchema } from '../moderation/src/schema.ts';
import { migrations as postsSchema } from '../posts/src/schema.ts';
import { migrations as querySchema } from '../query/src/schema.ts';
import { history, type Size, verdictOf } from './history.ts';

/** The rows of one event, by table. */
type Rows = Record<string, (string | number)[] | undefined>;
type Data = { id: string; postId: string; title: string; content: string; status: string; createdAt: string };

let revision = 0;
const next = () => {
  revision += 1;
  return revision;
};
const tables: Record<
  string,
  { schema: readonly string[]; columns: Record<string, string>; rows(event: CloudEvent): Rows }
> = {
  posts: {
    schema: postsSchema,
    columns: { posts: 'id, title, createdAt, idempotencyKey, event' },
    rows(event) {
      const { id, title, createdAt } = event.data as Data;
      if (event.type !== 'PostCreated') return {};
      return { posts: [id, title, createdAt, randomUUID(), JSON.stringify(event)] };
    },
  },
  comments: {
    schema: commentsSchema,
    columns: { posts: 'id', comments: 'id, postId, content, status, createdAt, idempotencyKey, event' },
    rows(event) {
      const { id, postId, content, createdAt } = event.data as Data;
      if (event.type === 'PostCreated') return { posts: [id] };
      if (event.type !== 'CommentCreated') return {};
      const own = [randomUUID(), JSON.stringify(event)];
      return { comments: [id, postId, content, verdictOf(content), createdAt, ...own] };
    },
  },
  moderation: {
    schema: moderationSchema,
    columns: { verdicts: 'id, status, event' },
    rows(event) {
      const { id, status } = event.data as Data;
      return event.type === 'CommentModerated' ? { verdicts: [id, status, JSON.stringify(event)] } : {};
    },
  },
  query: {
    schema: querySchema,
    columns: {
      posts: 'id, title, createdAt, commentCount, revision',
      comments: 'id, postId, content, status, createdAt, revision',
    },
    rows(event) {
      const { id, postId, title, content, createdAt } = event.data as Data;
      if (event.type === 'PostCreated') return { posts: [id, title, createdAt, size.comments, next()] };
      if (event.type !== 'CommentCreated') return {};
      return { comments: [id, postId, content, verdictOf(content), createdAt, next()] };
    },
  },
};

async function fillTables(file: string, part: string): Promise<void> {
  const { schema, columns, rows } = tables[part] as (typeof tables)[string];
  const { db, close } = await openToFill(file, schema);
  const inserts = Object.fromEntries(
    Object.entries(columns).map(([table, names]) => {
      const marks = names.replaceAll(/\w+/g, '?');
      return [table, db.prepare(`INSERT INTO ${table} (${names}) VALUES (${marks})`)];
    }),
  );
  for (const event of history(size))
    for (const [table, values = []] of Object.entries(rows(event))) inserts[table]?.run(...values);
  if (part === 'query') db.prepare('UPDATE model SET revision = ?').run(revision);
  close();
}

const { part, directory, size } = workerData as { part: string; directory: string; size: Size };
const file = fileOf(directory, part);
const head = part === 'event-bus' ? await fillLog(file, history(size)) : await fillTables(file, part);
// Flushed to disk, so that these writes do not continue during the measurement.
const written = openSync(file, 'r+');
fsyncSync(written);
closeSync(written);
parentPort?.postMessage(head);
