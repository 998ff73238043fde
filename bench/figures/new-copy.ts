// A new copy of query: the time until it is ready, from an empty database, beside a log of a million events.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { positionOf } from '../../common/src/core/checkpoint.ts';
import { fillLog } from '../../e2e/lib/fill.ts';
import { get } from '../../e2e/lib/http.ts';
import { startBus, startCopy } from '../copies.ts';
import type { Figure } from '../figure.ts';
import { history } from '../history.ts';

export const newCopy: Figure = {
  name: 'new-copy',
  title: 'a new copy of query, from its start until it is ready, with a log of a million events',
  sides: ['ours'],
  units: { seconds: 's' },

  async measure({ quick, directory }) {
    const head = await fillLog(
      join(directory, 'event-bus.db'),
      history({ posts: (quick ? 50_000 : 1_000_000) / 16, comments: 5 }),
    );
    const { url, ports } = await startBus(directory, ['query-1']);
    const folder = join(directory, 'query-1');
    mkdirSync(folder);
    const began = performance.now();
    const copy = await startCopy('query', 'query-1', ports.get('query-1') as number, folder, url);
    const isReady = async () =>
      (await get(`${copy}/readyz`)).status === 200 &&
      positionOf((await get(`${copy}/events`)).body.checkpoint) >= positionOf(head);
    while (!(await isReady())) await pause(50);
    return { seconds: (performance.now() - began) / 1_000 };
  },

  goals: [{ text: 'a new copy of query is ready, s', of: ({ ours }) => ours?.seconds, atMost: 15 }],
};
