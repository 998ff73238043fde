// Writes a blog of any size directly into the databases of its services.
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { Worker } from 'node:worker_threads';
import { SERVERS, SERVICES } from '@blog/common/run/parts.ts';
import { positionOf } from '../common/src/core/checkpoint.ts';
import { fileOf } from '../common/src/run/data.ts';
import { check, takeSnapshot, type Write } from '../e2e/lib/checker.ts';
import type { System } from '../e2e/lib/system.ts';
import { history, type Size } from './history.ts';
import { keep } from './processes.ts';

/** Makes the databases of all five parts, one thread each. Every checkpoint is at the head of the log. */
export async function fill(directory: string, size: Size): Promise<void> {
  mkdirSync(directory);
  const heads = SERVERS.map(async (part) => {
    const worker = new Worker(new URL('./fill-part.ts', import.meta.url), { workerData: { part, directory, size } });
    await keep(Promise.resolve({ stop: () => worker.terminate() }));
    const [head] = await once(worker, 'message');
    return head;
  });
  const head: string = (await Promise.all(heads)).find((one) => one !== undefined);
  const edit = (part: string, sql: string) => {
    const db = new DatabaseSync(fileOf(directory, part));
    db.exec(sql);
    db.close();
  };
  for (const part of SERVICES) {
    edit(part, `UPDATE stand SET checkpoint = '${head}'`);
    if (part !== 'query') edit(part, `UPDATE publication SET checkpoint = '${head}'`);
    edit('event-bus', `INSERT INTO subscriptions (name, position) VALUES ('${part}', ${positionOf(head)})`);
  }
}

/** Verifies by the checker that the filled data equals what the services would have stored, in order and counts. */
export async function assertRight(system: System, size: Size): Promise<void> {
  const writes: Write[] = [];
  for (const { type, data } of history(size)) {
    const { id, postId, title, content } = data as { id: string; postId?: string; title?: string; content: string };
    const written = { id, key: id, outcome: 'acknowledged' } as const;
    if (type === 'PostCreated') writes.push({ ...written, kind: 'post', text: title ?? '' });
    if (type === 'CommentCreated') writes.push({ ...written, kind: 'comment', text: content, postId });
  }
  const [violation] = check(writes, await takeSnapshot(system));
  if (violation) throw new Error(`what was filled is not right: ${violation.kind}, ${violation.examples[0]}`);
}
