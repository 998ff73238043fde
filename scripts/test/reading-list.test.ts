// The reading list of the README: all files that a learner reads, as long as it says, and closed under their imports.
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { expect, test } from '@jest/globals';
import { root } from '../lib/part-process.ts';

const LEARNED = [
  'common/src/core/*.ts',
  '{posts,comments,query,moderation}/src/*.ts',
  'event-bus/src/{log,delivery,pusher,push-batch,tail,subscription,dead-letters}.ts',
];
const find = (patterns: string[]) => globSync(patterns, { cwd: root }).map((file) => file.replaceAll('\\', '/'));
/** The frame that a service is put into; details that a reader may take on trust; and what only copies need. */
const FRAME = [
  ...['common/src/run/', 'common/src/http/'],
  ...find([
    'common/src/core/{bus-kind,exchange,health,printable}.ts',
    'event-bus/src/{arrivals,exact-json,publication,standing}.ts',
  ]),
  ...find(['common/src/core/{acknowledgements,seal}.ts', 'moderation/src/judging.ts', 'event-bus/src/copies.ts']),
];

const text = (file: string) => readFileSync(join(root, file), 'utf8');
const [, section = ''] = text('README.md').split('## Read the code');
const listed = [...section.matchAll(/\]\(([\w./-]+\.ts)\)/g)].map(([, file = '']) => file);
const limit = Number(/([\d,]+) lines/.exec(section)?.[1]?.replace(',', ''));

test('the reading list names every file that a learner reads, once', () => {
  const files = find(LEARNED).filter((file) => !FRAME.includes(file));
  expect(files.length).toBeGreaterThan(30);
  expect([...listed].sort()).toEqual(files.sort());
});

test('its files have at most the lines that the README says', () => {
  const lines = listed.map((file) => text(file).split('\n').length - 1);
  const sum = lines.reduce((total, count) => total + count, 0);
  expect(sum).toBeLessThanOrEqual(limit);
  expect(sum).toBeGreaterThan(limit - 200);
});

test('its files import one another, the frame, and nothing else of ours', () => {
  const outside = listed.flatMap((file) => {
    const names = [...text(file).matchAll(/^(?:import|export)\b[^;'"]*?['"]([^'"]+)['"]/gm)].map(
      ([, name = '']) => name,
    );
    const own = names.map((name) =>
      name.replace(/^@blog\/common\//, `${posix.relative(dirname(file), 'common/src')}/`),
    );
    return own.filter((name) => name.startsWith('.')).map((name) => posix.join(dirname(file), name));
  });
  const isFrame = (file: string) => FRAME.some((path) => file.startsWith(path));
  expect(outside.length).toBeGreaterThan(50);
  expect(outside.filter((file) => !listed.includes(file) && !isFrame(file))).toEqual([]);
});
