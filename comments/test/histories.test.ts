// The comments service ends in the same state whatever the order and repetition of events.
import type { Tx } from '@blog/common/core/sqlite.ts';
import { afterAll, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { history, losses, quarrel, retold, type Step, type Told, tell } from '../../common/test/histories.ts';
import { removeFolders } from '../../common/test/service.ts';
import { handlers } from '../src/comments.ts';
import { migrations } from '../src/schema.ts';

afterAll(removeFolders);

type Row = Record<string, string | number | null>;

/** The service's data without its order of arrival, and the events that it has published. */
const look = (tx: Tx) => ({
  posts: tx.all<Row>('SELECT id FROM posts ORDER BY id'),
  comments: tx.all<Row>('SELECT * FROM comments ORDER BY id').map(({ seq: _, event: __, ...row }) => row),
  published: tx
    .all<{ event: string }>('SELECT event FROM outbox ORDER BY seq')
    .map(({ event }): Told => JSON.parse(event)),
});
const known = (steps: Step[]) => tell(steps, migrations, handlers, look);

test('any order, repetition and restart of a history with one verdict per comment gives the same comments', async () => {
  const histories = history('CommentModerated').chain((events) => fc.tuple(fc.constant(events), retold(events)));
  const property = fc.asyncProperty(histories, async ([events, steps]) => {
    const [expected, told] = [(await known(events)).at(-1), (await known(steps)).at(-1)];
    expect(told).toEqual({ ...expected, published: expect.anything() });
    const judged = (all: Told[] = []) => [...new Set(all.map(({ data }) => `${data.id}: ${data.status}`))].sort();
    expect(judged(told?.published)).toEqual(judged(expected?.published));
  });
  await fc.assert(property, { numRuns: 40 });
});

test('no sequence of events changes or removes known values, and the first verdict stands', async () => {
  const property = fc.asyncProperty(quarrel('CommentModerated').chain(retold), async (steps) => {
    const looks = await known(steps);
    for (const [i, { comments }] of looks.entries()) {
      expect(losses(looks[i - 1]?.comments ?? [], comments)).toEqual([]);
    }
    const status = new Map(looks.at(-1)?.comments.map(({ id, status }) => [id, status]));
    const published = looks.at(-1)?.published ?? [];
    expect(published.map(({ data }) => data.status)).toEqual(published.map(({ data }) => status.get(data.id)));
    const first = new Map<string, string>();
    for (const step of steps)
      if (step !== 'restart' && step.type === 'CommentModerated' && step.data.status && !first.has(step.data.id))
        first.set(step.data.id, step.data.status);
    for (const [id, verdict] of first) expect([id, status.get(id)]).toEqual([id, verdict]);
  });
  await fc.assert(property, { numRuns: 30 });
});
