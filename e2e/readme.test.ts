// Types the commands of README.md and docs/curl.md into a terminal, in order, changing nothing but the ports, and compares
// the answers.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { root } from '../scripts/lib/part-process.ts';
import { type System, startSystem } from './lib/system.ts';
import { copyRepository, openTerminal, type Terminal } from './lib/terminal.ts';
import { alike, answerOf, movePorts, stepsOf } from './lib/typed.ts';

let copy: ReturnType<typeof copyRepository>;
let system: System;
let terminal: Terminal;
beforeEach(async () => {
  copy = copyRepository();
  // The data of the folder in which the lines are typed, so that `npm run part` finds this system.
  system = await startSystem('--data', join(copy.folder, '.data'));
  terminal = openTerminal(copy.folder);
});
afterEach(async () => {
  await terminal?.close();
  await system?.stop();
  copy?.remove();
});

const read = (file: string) => readFileSync(join(root, file), 'utf8');

test.each([
  ['README.md', read('README.md').split('\n## With curl\n')[1]?.split('\n## ')[0] ?? '', 4],
  ['docs/curl.md', read('docs/curl.md'), 10],
])('the commands of %s, typed in order, give the answers printed beside them', async (_, text, answers) => {
  const steps = stepsOf(text);
  expect(steps.filter(({ answer }) => answer)).toHaveLength(answers);
  const moved = movePorts(system.ports);
  for (const { command, answer } of steps) {
    const line = moved.there(command);
    if (answer) {
      const seen = await answerOf(terminal, line, alike(answer), moved.back);
      expect({ command, answer: seen }).toEqual({ command, answer: alike(answer) });
    } else {
      if (/^\w+=\$\(/.test(line)) await system.quiet();
      await terminal.type(line);
    }
  }
});
