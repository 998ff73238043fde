// Copies of a moderation whose verdicts take long: the verdicts that they make together.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { get, until } from '../../e2e/lib/http.ts';
import { startBus, startCopy } from '../copies.ts';
import { type Figure, ratio } from '../figure.ts';
import { history } from '../history.ts';

const SIDES = { one: 1, two: 2, four: 4 } as const;
const DELAY_MS = 200;
/** The comments at once that the default of MODERATION_CONCURRENCY allows. */
const AT_ONCE = 8;

export const moderation: Figure = {
  name: 'moderation',
  title: `copies of moderation, ${DELAY_MS} ms a comment, ${AT_ONCE} at once`,
  sides: Object.keys(SIDES),
  units: { rate: 'verdicts/s' },

  async measure({ side, quick, directory }) {
    const copies = SIDES[side as keyof typeof SIDES];
    const seconds = quick ? 3 : 10;
    const { url, ports } = await startBus(
      directory,
      Array.from({ length: copies }, (_, i) => `moderation-${i}`),
    );
    for (const [name, port] of ports) {
      const folder = join(directory, name);
      mkdirSync(folder);
      await startCopy('moderation', name, port, folder, url, { MODERATION_DELAY_MS: `${DELAY_MS}` });
    }
    await until('all copies are live', async () =>
      (await get(`${url}/subscriptions`)).body.every(({ state }: { state: string }) => state === 'live'),
    );
    // Twice as many as can be judged in the time: no copy runs out of its share.
    const comments = Math.ceil((2 * copies * AT_ONCE * (seconds + 1) * 1_000) / DELAY_MS);
    const created = [...history({ posts: 1, comments })].filter(({ type }) => type === 'CommentCreated');
    for (let from = 0; from < created.length; from += 500) {
      const { status } = await fetch(`${url}/events`, {
        method: 'POST',
        headers: { 'content-type': 'application/cloudevents-batch+json' },
        body: JSON.stringify(created.slice(from, from + 500)),
      });
      if (status !== 201) throw new Error(`the bus answered ${status}`);
    }
    const verdicts = async () =>
      Number(
        /events_published_total\{type="CommentModerated"\} (\d+)/.exec(
          await (await fetch(`${url}/metrics`)).text(),
        )?.[1],
      );
    await until('a verdict has come', async () => (await verdicts()) > 0);
    await pause(1_000);
    const [before, began] = [await verdicts(), performance.now()];
    await pause(seconds * 1_000);
    return { rate: ((await verdicts()) - before) / ((performance.now() - began) / 1_000) };
  },

  goals: [
    { text: 'verdicts/s of two copies by one', of: ({ two, one }) => ratio(two?.rate, one?.rate), atLeast: 1.8 },
    { text: 'verdicts/s of four copies by one', of: ({ four, one }) => ratio(four?.rate, one?.rate), atLeast: 3.5 },
  ],
};
