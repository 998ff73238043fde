// The read model ends in the same state whatever the order and repetition of events.
import type { Tx } from '@blog/common/core/sqlite.ts';
import { afterAll, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { history, losses, quarrel, retold, type Step, tell } from '../../common/test/histories.ts';
import { removeFolders } from '../../common/test/service.ts';
import { handlers } from '../src/projection.ts';
import { migrations } from '../src/schema.ts';

afterAll(removeFolders);

type Row = Record<string, string | number | null>;

/** The read model's data without its order of arrival. */
const look = (tx: Tx) => ({ posts: rowsOf(tx, 'posts'), comments: rowsOf(tx, 'comments') });
const rowsOf = (tx: Tx, table: string) =>
  tx.all<Row>(`SELECT * FROM ${table} ORDER BY id`).map(({ seq: _, revision: __, ...row }) => row);
const lookAtAll = (tx: Tx) => ['posts', 'comments', 'model'].map((table) => tx.all<Row>(`SELECT * FROM ${table}`));

const readModel = (steps: Step[]) => tell(steps, migrations, handlers, look);

test('any order, repetition and restart of a history gives the same posts, comments, statuses and counts', async () => {
  const histories = history('CommentUpdated').chain((events) => fc.tuple(fc.constant(events), retold(events)));
  const property = fc.asyncProperty(histories, async ([events, steps]) => {
    expect((await readModel(steps)).at(-1)).toEqual((await readModel(events)).at(-1));
  });
  await fc.assert(property, { numRuns: 40 });
});

test('no sequence of events changes or removes known values or takes a status back, and counts are correct', async () => {
  const property = fc.asyncProperty(quarrel('CommentUpdated').chain(retold), async (steps) => {
    const looks = await readModel(steps);
    for (const [i, { posts, comments }] of looks.entries()) {
      const before = looks[i - 1];
      expect(losses(before?.posts ?? [], posts)).toEqual([]);
      expect(losses(before?.comments ?? [], comments)).toEqual([]);
      const counted = posts.map(({ id }) => comments.filter(({ postId }) => postId === id).length);
      expect(posts.map(({ commentCount }) => commentCount)).toEqual(counted);
    }
  });
  await fc.assert(property, { numRuns: 60 });
});

test('events repeated in any order after a history change nothing, not even a revision', async () => {
  const histories = history('CommentUpdated').chain((events) => fc.tuple(fc.constant(events), retold(events)));
  const property = fc.asyncProperty(histories, async ([events, again]) => {
    const looks = await tell([...events, ...again], migrations, handlers, lookAtAll);
    expect(looks.at(-1)?.slice(0, 2)).toEqual(looks[events.length]?.slice(0, 2));
    expect(looks.at(-1)?.[2]?.[0]?.revision).toBe(looks[events.length]?.[2]?.[0]?.revision);
  });
  await fc.assert(property, { numRuns: 30 });
});
