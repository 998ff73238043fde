// The rebuild of query's read model from the log, as after an update that deleted its database.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { positionOf } from '../../common/src/core/checkpoint.ts';
import { fillLog } from '../../e2e/lib/fill.ts';
import { memoryOf, watchMemory } from '../../e2e/lib/footprint.ts';
import { get, until } from '../../e2e/lib/http.ts';
import { startSystem } from '../../e2e/lib/system.ts';
import type { Figure, Values } from '../figure.ts';
import { eventsOf, history } from '../history.ts';
import { keep } from '../processes.ts';

/** 1,024 bytes in MB. */
const KB = 1.024e-3;
const PARTS = ['query', 'event-bus'];
const OTHERS = ['client', 'posts', 'comments', 'moderation'];

export const rebuild: Figure = {
  name: 'rebuild',
  title: 'query from nothing to the head of a log of a million events, five comments a post',
  sides: ['ours'],
  units: {
    rate: 'events/s',
    ...{ 'query idle': 'MB', 'query most': 'MB', 'query after': 'MB' },
    ...{ 'event-bus idle': 'MB', 'event-bus most': 'MB', 'event-bus after': 'MB' },
  },

  async measure({ quick, directory }) {
    const size = { posts: (quick ? 50_000 : 1_000_000) / 16, comments: 5 };
    const data = join(directory, 'data');
    mkdirSync(data);
    const without = OTHERS.flatMap((name) => ['--without', name]);
    const system = await keep(startSystem('--production', ...without, '--data', data));
    const measured: Record<string, number> = {};
    const memory = async (what: string) => {
      if (process.platform !== 'linux') return;
      for (const [name, pid] of await system.pids()) measured[`${name} ${what}`] = memoryOf(pid) * KB;
    };
    await pause(1_000); // memory used by the start is released
    await memory('idle');

    for (const name of PARTS) await system.part(`stop ${name}`);
    system.deleteDatabase('query');
    const head = await fillLog(join(data, 'event-bus.db'), history(size));
    await system.startPart('event-bus');
    await system.part('start query');

    const position = async () => positionOf((await get(`${system.url('query')}/events`)).body.checkpoint);
    const first = await until('query has applied an event', position);
    const began = performance.now();
    const watched =
      process.platform === 'linux'
        ? Array.from(await system.pids(), ([name, pid]) => ({ name, most: watchMemory(pid) }))
        : [];
    while ((await position()) < positionOf(head)) await pause(20);
    const seconds = (performance.now() - began) / 1_000;
    for (const { name, most } of watched) measured[`${name} most`] = most() * KB;
    await pause(1_000);
    await memory('after');

    const count = (sql: string) => system.rows('query', sql)[0]?.n;
    const right = size.posts * size.comments;
    if (
      count('SELECT count(*) AS n FROM posts') !== size.posts ||
      count(`SELECT count(*) AS n FROM comments WHERE status <> 'pending'`) !== right ||
      count('SELECT sum(commentCount) AS n FROM posts') !== right
    )
      throw new Error('The read model is not what the log says.');
    return { rate: (eventsOf(size) - first) / seconds, ...measured };
  },

  goals: [
    { text: 'events/s', of: ({ ours }) => ours?.rate, atLeast: 100_000 },
    ...PARTS.map((part) => ({
      text: `memory of ${part} at most, against idle`,
      of: ({ ours }: Record<string, Values>) =>
        ours && (ours[`${part} most`] as number) / (ours[`${part} idle`] as number),
      atMost: 1.3,
    })),
  ],
};
