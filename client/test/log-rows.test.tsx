// The rows of the log, under any sequence of events and actions of the reader.
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  fromPage,
  LIVE_ROWS,
  type LogRows,
  PAGE,
  withNews,
  withOlder,
  withWaitingShown,
} from '../src/system/log/log-rows.ts';
import { anEntry } from './fake-system.ts';

const range = (from: number, upto: number) =>
  Array.from({ length: upto - from + 1 }, (_, index) => anEntry(from + index));
const newestFirst = (upto: number) => range(Math.max(1, upto - PAGE + 1), upto).reverse();

const step = fc.oneof(
  fc.record({ come: fc.integer({ min: 1, max: 250 }), again: fc.nat(30) }),
  fc.constantFrom('hold', 'release', 'show', 'older'),
);

test('rows have no gap, stay while they are held, and are the newest hundred otherwise', () => {
  const property = fc.property(fc.nat(200), fc.array(step, { maxLength: 12 }), (before, steps) => {
    let head = before;
    let held = false;
    let known: LogRows = fromPage(newestFirst(head));
    for (const next of steps) {
      const { rows, isExtended } = known;
      if (next === 'hold') held = true;
      else if (next === 'release') {
        held = false;
        if (!isExtended) known = withWaitingShown(known);
      } else if (next === 'show') known = withWaitingShown(known);
      else if (next === 'older') {
        const last = rows.at(-1)?.position ?? 1;
        known = withOlder(known, newestFirst(last - 1));
        expect(known.rows.slice(0, rows.length)).toEqual(rows);
      } else {
        // Some of them may be duplicates.
        known = withNews(known, range(Math.max(1, head - next.again + 1), head + next.come), held);
        head += next.come;
        if (held || isExtended) expect(known.rows).toBe(rows);
      }
      const top = known.rows[0]?.position ?? 0;
      expect(known.rows.map(({ position }) => position)).toEqual(known.rows.map((_, index) => top - index));
      if (known.rows.length > 0 || known.waitingCount > 0) expect(known.waitingCount).toBe(head - top);
      if (!held && !known.isExtended) expect(top).toBe(head);
      if (!known.isExtended) expect(known.rows.length).toBeLessThanOrEqual(LIVE_ROWS);
      const oldest = known.rows.at(-1)?.position ?? 1;
      if (oldest > 1) expect(known.hasOlder).toBe(true);
    }
  });
  fc.assert(property, { numRuns: 200 });
});
