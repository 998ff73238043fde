// Types the lines of docs/observability.md, "Logs in one place", with a real VictoriaLogs and the files of `npm start -- --logs`.
import { mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { SERVERS } from '../common/src/run/parts.ts';
import { root } from '../scripts/lib/part-process.ts';
import { freePorts } from '../scripts/lib/port-use.ts';
import { get, until } from './lib/http.ts';
import { type System, startSystem } from './lib/system.ts';
import { openTerminal, type Terminal } from './lib/terminal.ts';
import { alike, answerOf, movePorts, stepsOf } from './lib/typed.ts';
import { describeVictoriaLogs, victoriaLogs } from './lib/victoria-logs.ts';

const [, chapter = ''] = readFileSync(join(root, 'docs', 'observability.md'), 'utf8').split(/^## Logs in one place$/m);
const steps = stepsOf(chapter.split(/^## /m)[0] as string);

describeVictoriaLogs('the real VictoriaLogs', () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'blog-log-store-'));
  let system: System;
  let terminal: Terminal;
  let moved: ReturnType<typeof movePorts>;
  let store: string;

  beforeAll(async () => {
    const [port = 0] = await freePorts(1);
    process.env.LOG_LEVEL = 'debug';
    system = await startSystem('--production', '--logs', '--data', dataDir, '--without', 'client');
    moved = movePorts({ ...system.ports, store: port }, { store: 9428 });
    store = `http://127.0.0.1:${port}`;
    const PATH = `${dirname(victoriaLogs ?? '')}:${process.env.PATH}`;
    terminal = openTerminal(root, { PATH });
  });
  afterAll(async () => {
    delete process.env.LOG_LEVEL;
    await terminal?.close();
    await system?.stop();
  });

  /** Its lines in one order: a request is answered, and logged, while its event is published. */
  const sorted = (text: string) => text.split('\n').toSorted().join('\n');

  /** The lines that a query finds. */
  async function find(query: string): Promise<Record<string, string>[]> {
    const answer = await fetch(`${store}/select/logsql/query?query=${encodeURIComponent(query)}`);
    return (await answer.text())
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
  }

  test('three steps lead from a comment to its lines in all parts', async () => {
    const [first, ...rest] = steps;
    const [start = '', ...lines] = (first?.command ?? '').split('\n');
    const here = (line: string) => moved.there(line).replaceAll('.data', dataDir);
    await terminal.type(here(start));
    await until('the store answers', async () => (await get(`${store}/health`)).status === 200);
    const feed = lines.pop() ?? '';
    for (const line of lines) await terminal.type(here(line));
    await system.quiet();
    await terminal.type(here(feed));
    for (const { command, answer = '' } of rest) {
      const wanted = alike(sorted(answer));
      const seen = await answerOf(terminal, here(command), wanted, (text) => sorted(moved.back(text)));
      expect({ command, answer: seen }).toEqual({ command, answer: wanted });
    }
  });

  test('every line of the files is found, by its service, its level and its event', async () => {
    const files = readdirSync(join(dataDir, 'logs'));
    expect(files.toSorted()).toEqual(SERVERS.map((name) => `${name}.log`).toSorted());
    const found = await find('* | stats by (service) count() lines');
    expect(found.map(({ service }) => service).toSorted()).toEqual(SERVERS.toSorted());
    expect((await find('level:=30 _msg:=listening')).length).toBe(SERVERS.length);
    const [appended] = await find('_msg:="event appended" type:=CommentCreated');
    const ofEvent = await find(`eventId:="${appended?.eventId}" | uniq by (service)`);
    expect(ofEvent.map(({ service }) => service).toSorted()).toEqual(['comments', 'event-bus', 'moderation', 'query']);
  });
});
