// Types the lines of docs/experiments.md into a terminal, in order, and checks the promised results. It is a real
// terminal in a copy of the repository, with the copy's own `npm start`, `npm run part` and `.data`. Lines are typed
// unchanged but for the ports, which `npm start` and the parts of bench/naive get in their own ways. Experiments that
// need a cluster, or a disk that cannot be made here, are reported as skipped.
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { PARTS, urlSetting } from '../common/src/run/parts.ts';
import { root } from '../scripts/lib/part-process.ts';
import { freePorts } from '../scripts/lib/port-use.ts';
import { get, until } from './lib/http.ts';
import { mountSmallDisk } from './lib/small-disk.ts';
import { copyRepository, openTerminal, type Terminal } from './lib/terminal.ts';
import { alike, answerOf, movePorts, type Step, stepsOf } from './lib/typed.ts';

const [introduction = '', ...chapters] = readFileSync(join(root, 'docs', 'experiments.md'), 'utf8').split(/^## /m);
const experiments = chapters.map((chapter) => {
  const [here = '', inCluster] = chapter.split(/^\*\*In the cluster/m);
  return { title: chapter.split('\n')[0] as string, steps: stepsOf(here), inCluster };
});

const disk = await mountSmallDisk('1m');
await disk?.unmount();

const numbers = await freePorts(PARTS.length + 1);
const ports = Object.fromEntries([...PARTS, 'words'].map((name, i) => [name, numbers[i] as number]));
const moved = movePorts(ports, { words: 4007 });
const url = (name: string) => `http://127.0.0.1:${ports[name]}`;

let copy: ReturnType<typeof copyRepository>;
/** `npm start` runs in the first terminal, all other lines in the second. */
let first: Terminal;
let second: Terminal;

beforeAll(async () => {
  copy = copyRepository();
  const urls = PARTS.map((name) => [urlSetting(name), url(name)]);
  first = openTerminal(copy.folder);
  second = openTerminal(copy.folder, Object.fromEntries(urls)); // for the parts of bench/naive
  await second.type('type sudo || sudo() { "$@"; }'); // root may lack sudo
  await typeAll(stepsOf(introduction));
});
afterAll(async () => {
  // Cleans up after an experiment that failed half way.
  if (copy && existsSync(join(copy.folder, '..', 'small-disk'))) await second.type('sudo umount -l ../small-disk');
  await second?.close();
  await first?.close();
  copy?.remove();
});

function here(command: string): string {
  const options = PARTS.map((name) => `--port ${name}=${ports[name]}`).join(' ');
  return moved
    .there(command)
    .replace(/\bnpm start( --)?/, `npm start -- ${options}`)
    .replace(/npx node bench\/naive\/([a-z-]+)\.ts/, (run, name) => `PORT=${ports[name]} ${run}`);
}

/** Types the steps of an experiment. A line without a printed answer must print nothing. */
async function typeAll(steps: Step[]): Promise<void> {
  for (const { command, answer = '' } of steps) {
    if (/\bnpm start\b/.test(command)) await start(here(command));
    else {
      const seen = await answerOf(second, here(command), alike(answer), moved.back);
      expect({ command, answer: seen }).toEqual({ command, answer: alike(answer) });
    }
  }
}

/** Presses Ctrl-C in the first terminal and types this line; resolves once all parts are ready. */
async function start(line: string): Promise<void> {
  await first.interrupt();
  const { since } = await first.type(`${line} &`);
  await until('ready', () => since().includes('Ready after')).catch((error) => {
    throw new Error(`${line}: ${error.message}\n${since()}`);
  });
}

const echo = async (variable: string) => (await second.type(`echo "$${variable}"`)).printed.trim();
type Event = { type: string; subject?: string; data: { postId?: string } };
const log = async (): Promise<Event[]> => (await get(`${url('event-bus')}/events`)).body;

/** Promises of the text that no printed answer shows. */
const promises: Record<number, () => Promise<void>> = {
  1: async () => {
    const comment = await echo('COMMENT');
    const types = (await log()).filter(({ subject }) => subject === comment).map(({ type }) => type);
    expect(types).toEqual(['CommentCreated', 'CommentModerated', 'CommentUpdated']);
  },
  // Sent more than once, but in the log once.
  2: async () => {
    const post = await echo('POST');
    const created = (await log()).filter(({ type, data }) => type === 'CommentCreated' && data.postId === post);
    expect([created.length, new Set(created.map(({ subject }) => subject)).size]).toEqual([103, 103]);
  },
  3: async () => {
    expect(databaseOfQuery()).not.toBe(databaseAtFirst);
  },
  // Discarded, but still in the log.
  4: async () => {
    const poison = (await log()).filter(({ type, subject }) => type === 'CommentUpdated' && !subject);
    expect(poison).toHaveLength(1);
  },
};

let databaseAtFirst: number;
/** The birth of its file: a model that was rebuilt from the log has the name of before. */
const databaseOfQuery = () => statSync(join(copy.folder, '.data', 'query.db')).birthtimeMs;

/** Checks that everything runs and nothing waits. */
async function expectNormal(): Promise<void> {
  const now = async () => ({
    subscriptions: (await get(`${url('event-bus')}/subscriptions`)).body.map(
      ({ name, state, lag }: { name: string; state: string; lag: number }) => `${name} ${state} ${lag}`,
    ),
    letters: (await get(`${url('event-bus')}/dead-letters`)).body,
    parts: await Promise.all(PARTS.map(async (name) => (await get(`${url(name)}/readyz`)).body)),
    jobs: (await second.type('jobs')).printed.trim(),
  });
  const normal = {
    subscriptions: ['posts live 0', 'comments live 0', 'query live 0', 'moderation live 0'],
    letters: [],
    parts: PARTS.map(() => expect.objectContaining({ status: 'ready', degraded: [] })),
    jobs: '',
  };
  await until('normal', async () => expect(await now()).toEqual(normal) ?? true).catch(() => {});
  expect(await now()).toEqual(normal);
}

test('there are ten, each with lines to type', () => {
  expect(experiments.map(({ title }) => Number.parseInt(title, 10))).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  for (const { steps } of experiments) expect(steps.length).toBeGreaterThan(3);
});

describe('typed as printed, each experiment gives the printed answers, and ends in the initial state:', () => {
  beforeAll(async () => {
    databaseAtFirst = databaseOfQuery();
  });
  afterEach(expectNormal);

  for (const [index, { title, steps }] of experiments.entries()) {
    const isPossible = disk || !steps.some(({ command }) => command.includes('mount -t tmpfs'));
    (isPossible ? test : test.skip)(title, async () => {
      await typeAll(steps);
      await promises[index + 1]?.();
    });
  }
});

describe('typed by a person, on a cluster:', () => {
  for (const { title, inCluster } of experiments) if (inCluster) test.skip(title, () => {});
});
