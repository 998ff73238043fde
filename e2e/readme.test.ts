// Types the README's commands into a shell, in order, changing nothing but the ports, and compares what comes.
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { partNames, root } from '../scripts/parts.ts';
import { until } from './http.ts';
import { type System, startSystem } from './system.ts';

const run = promisify(execFile);
const DEFAULT_PORTS: Record<string, number> = {
  posts: 4000,
  comments: 4001,
  query: 4002,
  moderation: 4003,
  'event-bus': 4005,
  client: 3000,
};

type Step = { command: string; answer?: string };

/** Each `sh` block is typed; a block right behind it is its answer. */
function stepsOf(markdown: string): Step[] {
  const [, section = ''] = markdown.split('\n## With curl\n');
  const blocks = [...(section.split('\n## ')[0] ?? '').matchAll(/```(\w+)\n([\s\S]*?)```/g)];
  const steps: Step[] = [];
  for (const [, language, text = ''] of blocks) {
    if (language === 'sh') steps.push({ command: text.trim() });
    else (steps.at(-1) as Step).answer = text;
  }
  return steps;
}

/** Ids, times and places differ from run to run. */
const alike = (text: string) =>
  text
    .trim()
    .replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}(-\d+)?/g, 'ID')
    .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME')
    .replace(/"position":\d+/g, '"position":N');

let system: System;
beforeAll(async () => {
  system = await startSystem();
});
afterAll(() => system?.stop());

test("the README's commands, typed in order, give the answers printed beside them", async () => {
  const steps = stepsOf(readFileSync(join(root, 'README.md'), 'utf8'));
  expect(steps.filter(({ answer }) => answer).length).toBeGreaterThan(10);
  const env: NodeJS.ProcessEnv = { ...process.env };
  const type = async (command: string) => {
    // 28 is what curl ends with when its --max-time is over.
    const shell = await run('bash', ['-c', command], { env }).catch((error) => (error.code === 28 ? error : null));
    return String(shell?.stdout ?? '').trim();
  };
  for (const { command, answer } of steps) {
    const moved = (text: string, name: string) =>
      text.replaceAll(`:${DEFAULT_PORTS[name]}/`, `:${system.ports[name]}/`);
    const here = partNames.reduce(moved, command);
    const part = /^npm run -s part -- (.+)$/.exec(here)?.[1];
    const variable = /^(\w+)=\$\(/.exec(here)?.[1];
    if (part) {
      await system.part(part);
    } else if (variable) {
      await system.quiet();
      env[variable] = await type(`${here}\necho "$${variable}"`);
    } else if (answer) {
      // A learner who reads too early reads again; what writes is sent once.
      const reads = !here.includes('-X POST');
      const expected = alike(answer);
      let seen = '';
      const matches = async () => {
        seen = alike(await type(here));
        return seen === expected || !reads;
      };
      await until(command, matches, 10_000).catch(() => {});
      expect({ command, answer: seen }).toEqual({ command, answer: expected });
    }
  }
});
