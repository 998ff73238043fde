// Comments and query, each with its own database, fed with events in any order.
import type { Tx } from '@blog/common/core/sqlite.ts';
import { afterAll, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { handlers as rules } from '../comments/src/comments.ts';
import { migrations as ofComments } from '../comments/src/schema.ts';
import { quarrel, retold, type Told, tell } from '../common/test/histories.ts';
import { removeFolders } from '../common/test/service.ts';
import { handlers as projection } from '../query/src/projection.ts';
import { migrations as ofQuery } from '../query/src/schema.ts';

afterAll(removeFolders);

const statuses = (tx: Tx) => ({
  statuses: tx.all<{ id: string; status: string }>('SELECT id, status FROM comments ORDER BY id'),
});
const ofService = (tx: Tx) => ({
  ...statuses(tx),
  published: tx
    .all<{ event: string }>('SELECT event FROM outbox ORDER BY seq')
    .map(({ event }): Told => JSON.parse(event)),
});

test('however late or repeated the events of comments arrive at query, both end with the same statuses', async () => {
  const property = fc.asyncProperty(quarrel('CommentModerated').chain(retold), fc.gen(), async (steps, gen) => {
    const comments = (await tell(steps, ofComments, rules, ofService)).at(-1);
    const log = steps.filter((step): step is Told => step !== 'restart');
    const toQuery = gen(retold, [...log, ...(comments?.published ?? [])]);
    const query = (await tell(toQuery, ofQuery, projection, statuses)).at(-1);
    expect(query?.statuses).toEqual(comments?.statuses);
  });
  await fc.assert(property, { numRuns: 30 });
});
