// `npm start -- --bus FOLDER`, with small fake parts and a fake bus.
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SERVICES } from '@blog/common/run/parts.ts';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { STEPS } from '../../lessons/steps.ts';
import { until } from '../lib/until.ts';
import { createCheckout, fakePart } from './checkout.ts';

let checkout: Awaited<ReturnType<typeof createCheckout>>;

beforeEach(async () => {
  checkout = await createCheckout();
  lay('lessons/3-positions', fakePart('third'));
});
afterEach(() => checkout.remove());

/** Writes the bus of a folder of the checkout. */
function lay(folder: string, source: string): string {
  mkdirSync(join(checkout.root, folder), { recursive: true });
  writeFileSync(join(checkout.root, folder, 'bus.ts'), source);
  return folder;
}

const says = (...settings: string[]) =>
  settings.map((name) => `console.log('${name}=' + process.env.${name});`).join('\n');

test("the folder's bus runs in place of ours, by the contract's settings, with data of its own", async () => {
  checkout.edit('client', says('BUS_LESSON') + fakePart('first'));
  checkout.edit('posts', says('DATA_DIR', 'BUS_LESSON') + fakePart('first'));
  const told = `${says('SUBSCRIBERS', 'DATA_DIR')}console.log('at ' + process.cwd());`;
  lay('lessons/3-positions', told + fakePart('third'));
  const runner = checkout.start(['posts', 'event-bus', 'client'], ['--bus', 'lessons/3-positions']);
  await until('ready', () => runner.output().includes('Ctrl-C stops all'));
  expect((await checkout.get('event-bus'))?.text).toBe('third');

  const data = join(checkout.root, '.data', 'lesson-3-positions');
  const urls = SERVICES.map((name) => `http://localhost:${checkout.ports[name]}/events`);
  for (const line of [
    `event-bus  | SUBSCRIBERS=${urls.join()}`,
    `event-bus  | DATA_DIR=${join(data, 'bus')}`,
    `event-bus  | at ${join(data, 'bus')}`,
    `posts      | DATA_DIR=${data}`,
    'posts      | BUS_LESSON=undefined',
  ]) {
    expect(runner.output()).toContain(`${line}\n`);
  }
  expect(readdirSync(join(data, 'bus'))).toEqual([]);
  const [, lesson = ''] = /client +\| BUS_LESSON=(.*)/.exec(runner.output()) ?? [];
  const { before, try: what } = STEPS[3] as (typeof STEPS)[number];
  const title = 'a position for each subscriber';
  expect(JSON.parse(lesson)).toEqual({ bus: 'lessons/3-positions', step: 3, title, cannot: before, try: what });
  expect(runner.output()).toContain(`http://localhost:${checkout.ports['event-bus']}   (lessons/3-positions/bus.ts)`);
  expect(runner.output()).toContain(before);
});

test('it is killed, stopped and started like ours, an edit restarts it, and it may lose its data', async () => {
  const runner = checkout.start(['event-bus', 'client'], ['--bus', 'lessons/3-positions']);
  const first = await until('the bus', () => checkout.get('event-bus'));
  runner.process.stdin?.write('kill event-bus\n');
  await until('another process', async () => ((await checkout.get('event-bus'))?.pid ?? first.pid) !== first.pid);
  expect(await checkout.run('run/part.ts', ['stop', 'event-bus']).exited).toBe(0);
  expect(await checkout.get('event-bus')).toBeUndefined();
  expect(await checkout.run('run/part.ts', ['start', 'event-bus']).exited).toBe(0);
  await until('the bus', () => checkout.get('event-bus'));
  const keeps =
    "import { writeFileSync } from 'node:fs'; writeFileSync(import.meta.dirname + '/state.json', String(Date.now()));";
  lay('lessons/3-positions', keeps + fakePart('edited'));
  await until('the edit', async () => (await checkout.get('event-bus'))?.text === 'edited');

  const data = join(checkout.root, '.data', 'lesson-3-positions', 'bus');
  writeFileSync(join(data, 'log'), '');
  const { pid } = await until('the bus', () => checkout.get('event-bus'));
  const wipe = (name: string) => checkout.run('run/part.ts', ['wipe', name]).exited;
  expect([await wipe('client'), await wipe('event-bus')]).toEqual([2, 0]);
  expect(readdirSync(data)).toEqual([]);
  await until('another process', async () => ((await checkout.get('event-bus'))?.pid ?? pid) !== pid);
  // The bus writes a file beside its code: that is no edit.
  expect(runner.output().match(/edited, restarting/g)).toHaveLength(1);
});

test('a bus of your own needs nothing but a file, and has data that no other bus has; reset deletes them', async () => {
  const folders: string[] = [];
  for (const folder of ['a/my bus', 'b/my bus']) {
    const writes = "import { writeFileSync } from 'node:fs'; writeFileSync('mine', '');";
    lay(folder, writes + says('DATA_DIR') + fakePart(folder));
    const runner = checkout.start(['event-bus', 'client'], ['--bus', join(checkout.root, folder)]);
    await until('ready', () => runner.output().includes('Ctrl-C stops all'));
    expect((await checkout.get('event-bus'))?.text).toBe(folder);
    folders.push(/DATA_DIR=(.*)/.exec(runner.output())?.[1] ?? '');
    runner.process.kill('SIGINT');
    expect(await runner.exited).toBe(0);
  }
  expect(new Set(folders.filter((folder) => existsSync(join(folder, 'mine')))).size).toBe(2);
  const other = join(checkout.root, '.data', 'lesson-of-mine');
  mkdirSync(other);
  expect(await checkout.run('data/reset.ts').exited).toBe(0);
  expect(readdirSync(join(checkout.root, '.data'))).toEqual(['lesson-of-mine']);
});

const NO_FILE = /^--bus \S*: there is no file \S*bus\.ts\. .*lessons\/3-positions, lessons\/8-engine$/;

test('what cannot run, or not together with it, is refused in one line, with exit code 2', async () => {
  const lesson = 'lessons/3-positions';
  lay('lessons/8-engine', 'console.log(process.env.NATS_URL);');
  const refused: [args: string[], env: NodeJS.ProcessEnv, line: RegExp][] = [
    [['lessons/3-position'], {}, NO_FILE],
    [['lessons'], {}, NO_FILE],
    [[''], {}, NO_FILE],
    [[lesson, '--copies', '2'], {}, /^--bus and --copies do not go together: .*\.$/],
    [[lesson, '--without', 'event-bus'], {}, /^--bus and --without event-bus do not go together: .*\.$/],
    [[lesson], { BUS_TOKEN: 'x'.repeat(16) }, /^--bus does not go together with BUS_TOKEN.*Unset it\.$/],
    [
      ['lessons/8-engine'],
      { PATH: '', NATS_SERVER: '', NATS_URL: '' },
      /^lessons\/8-engine needs NATS\. There is no nats-server on the PATH .*$/,
    ],
  ];
  await Promise.all(
    refused.map(async ([args, env, line]) => {
      const runner = checkout.run('run/start.ts', ['--bus', ...args], env);
      expect(await runner.exited).toBe(2);
      expect(runner.output().trim()).toMatch(line);
    }),
  );
  expect(existsSync(join(checkout.root, '.data'))).toBe(false);
});
