// Types the README's commands into a terminal, in order, changing nothing but the ports, and compares what comes.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { root } from '../scripts/parts.ts';
import { type System, startSystem } from './system.ts';
import { copyRepository, openTerminal, type Terminal } from './terminal.ts';
import { alike, answerOf, movePorts, stepsOf } from './typed.ts';

let copy: ReturnType<typeof copyRepository>;
let system: System;
let terminal: Terminal;
beforeAll(async () => {
  copy = copyRepository();
  // The data of the folder in which is typed: so `npm run part` finds this system.
  system = await startSystem('--data', join(copy.folder, '.data'));
  terminal = openTerminal(copy.folder);
});
afterAll(async () => {
  await terminal?.close();
  await system?.stop();
  copy?.remove();
});

test("the README's commands, typed in order, give the answers printed beside them", async () => {
  const [, section = ''] = readFileSync(join(root, 'README.md'), 'utf8').split('\n## With curl\n');
  const steps = stepsOf(section.split('\n## ')[0] ?? '');
  expect(steps.filter(({ answer }) => answer).length).toBeGreaterThan(10);
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
