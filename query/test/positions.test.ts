// Stream positions: any position that a reader names is either resumed from or reset.

import { afterAll, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { removeFolders } from '../../common/test/service.ts';
import { begin } from '../src/changes.ts';
import { streamPosition } from '../src/read-model.ts';
import { post, startQuery } from './query-service.ts';

afterAll(removeFolders);

test('with any position that a reader names, it resumes at one of this database or starts again', async () => {
  const service = await startQuery();
  await service.push(['a', 'b', 'c'].map((id) => post(id))).expect(200);
  const now = await service.db.read(streamPosition);
  const [, database = '', revision = ''] = /^(.*)-(\d+)$/.exec(now) ?? [];
  const number = fc.oneof(
    fc.bigInt({ min: -2n, max: 10n ** 20n }),
    fc.nat(6),
    fc.constantFrom('', '1.5', '1e0', ' 1', 'NaN'),
  );
  const positions = fc.oneof(
    number.map((behind) => `${database}-${behind}`),
    fc.tuple(fc.string(), number).map(([other, behind]) => `${other}-${behind}`),
    fc.string(),
  );
  const property = fc.asyncProperty(positions, async (position) => {
    const step = await service.db.read((tx) => begin(tx, position));
    const behind = position.slice(database.length + 1);
    const isOurs =
      position.startsWith(`${database}-`) && /^\d{1,15}$/.test(behind) && Number(behind) <= Number(revision);
    expect(step.upto).toBe(isOurs ? Number(behind) : Number(revision));
    expect(step.text === '').toBe(isOurs);
    if (!isOurs) expect(step.text).toContain(`event: reset\nid: ${now}\n`);
  });
  await fc.assert(property, { numRuns: 200 });
  await service.close();
});
