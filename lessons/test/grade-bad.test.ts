// Programs that cannot be graded, or misbehave: one clear line, and nothing is left running.
import { resolve } from 'node:path';
import { afterEach, describe, expect, test } from '@jest/globals';
import { parseCommand } from '../grader/command.ts';
import { parseOptions } from '../grader/options.ts';
import { type Graded, grade, program, root } from './grading.ts';

const programs: ReturnType<typeof program>[] = [];
afterEach(() => {
  for (const { remove } of programs.splice(0)) remove();
});

const gradeCode = (code: string, ...more: Parameters<typeof grade>[0]): Promise<Graded> => {
  const one = program(code);
  programs.push(one);
  return grade(['--short', '--bus', one.command, ...more]);
};

const server = (answer: string) => `import http from 'node:http';
http.createServer((req, res) => { ${answer} }).listen(process.env.PORT, '127.0.0.1');`;

describe('a command line that is wrong', () => {
  test.each([
    ['an empty command', ['--bus', ''], 'The command is empty.'],
    ['a quote that does not end', ['--bus', "node 'bus.mjs"], "The command has a ' that does not end: node 'bus.mjs"],
    ['a pipe', ['--bus', 'cat | node'], "The command is started without a shell, so | has no meaning. Use: sh -c '…'"],
    ['a folder that does not exist', ['lessons/no-such-step'], 'There is no folder lessons/no-such-step.'],
    ['a report that is a folder', ['--bus', 'x', '--report', 'lessons'], 'lessons is a folder: name a file.'],
    ['nothing to grade', [], 'Name a command or a folder to grade.'],
    ['a report without a file', ['--bus', 'node', '--report'], '--report needs a file: --report FILE.html'],
    ['a report without a file, before an option', ['--report', '--short'], '--report needs a file: --report FILE.html'],
    ['a part without a command', ['--posts'], "--posts needs a command: --posts 'COMMAND'"],
    ['an unknown option', ['--buss=x'], 'There is no option --buss.'],
    ['a value for --short', ['--short=1'], '--short takes no value.'],
  ])('%s is refused with the reason', (_, args, reason) => {
    expect(() => parseOptions(args)).toThrow(new Error(reason));
  });

  test('words that name existing files become absolute, and quotes hold words together', () => {
    const command = `python3 '${import.meta.filename}' package.json no-such-file "a 'b' c" d\\ e`;
    const words = ['python3', import.meta.filename, resolve('package.json'), 'no-such-file', "a 'b' c", 'd e'];
    expect(parseCommand(command)).toEqual(words);
  });
});

describe('one line on the error output, exit code 2', () => {
  test('a program that does not exist', async () => {
    const graded = await grade(['--bus', 'no-such-program']);
    const err = ['The bus cannot be started: there is no program no-such-program.'];
    expect(graded).toEqual({ code: 2, out: [], err, left: [] });
  });

  test('a file that does not exist, in the folder in which the command was typed', async () => {
    const graded = await grade(['--bus', 'python3 -u no_such_bus.py 4005']);
    expect(graded).toEqual({ code: 2, out: [], err: [`There is no file no_such_bus.py in ${root}.`], left: [] });
  });

  test.each([
    [
      'one that ends at once, with escape sequences in its last words',
      `console.error('\\u001b[31mno database'); process.exit(3);`,
      'The bus ended with code 3 before it listened on its PORT: \\u001b[31mno database',
    ],
    [
      'one that throws, with a stack and the version of Node behind the reason',
      `null.port;`,
      "The bus ended with code 1 before it listened on its PORT: TypeError: Cannot read properties of null (reading 'port')",
    ],
    [
      'one that hangs and ignores SIGTERM',
      `process.on('SIGTERM', () => {}); setInterval(() => {}, 1000);`,
      'The bus runs, but does not listen: it must listen on 127.0.0.1 and the port in PORT.',
    ],
    [
      'one that listens on another port',
      `import http from 'node:http'; http.createServer().listen(0, '127.0.0.1');`,
      'The bus runs, but listens elsewhere: it must listen on 127.0.0.1 and the port in PORT.',
    ],
  ])('%s', async (_, code, line) => {
    expect(await gradeCode(code)).toEqual({ code: 2, out: [], err: [line], left: [] });
  });
});

/** The first failure, as it is printed. */
const firstOf = ({ out }: Graded) =>
  out
    .slice(out.findIndex((line) => line.startsWith('FAILED')))
    .slice(1)
    .map((line) => line.trim());

describe('a failed check', () => {
  test.each([
    ['one that ends at the first request', server('process.exit(7)'), 'it ended by itself, with code 7'],
    [
      'one that answers garbage',
      `import net from 'node:net';
net.createServer((socket) => socket.end('\\u001b[2Jgarbage\\r\\n\\r\\n').on('error', () => {})).listen(process.env.PORT, '127.0.0.1');`,
      'an answer that is no HTTP',
    ],
    ['one that never answers', server(''), 'no answer within 6 s'],
    [
      'one that closes the connection, with an error',
      server(`console.error('12:00:00 \\u001b[31mTypeError: no id\\n    at take (bus.mjs:1)'); res.destroy();`),
      'the connection was closed without an answer',
      'its output: … \\u001b[31mTypeError: no id',
    ],
  ])('%s', async (_, code, seen, ...more) => {
    const graded = await gradeCode(code);
    expect(graded).toMatchObject({ code: 1, err: [], left: [] });
    expect(firstOf(graded).slice(0, 3 + more.length)).toEqual([
      'sent:     POST /events post-1',
      expect.stringMatching(/^expected: /),
      `seen:     ${seen}`,
      ...more,
    ]);
    expect(graded.out).toContain('This bus stands before step 1.');
  });

  test('children that leave the process group and clear their environment end with their program, and its output has no escape sequences', async () => {
    const code = `import { spawn } from 'node:child_process';
for (const env of [process.env, { PATH: process.env.PATH }])
  spawn('sleep', ['1000'], { detached: true, stdio: 'inherit', env }).unref();
console.log('\\u001b[2J' + 'x'.repeat(3_000_000));
${server(`res.writeHead(500).end()`)}`;
    const graded = await gradeCode(code, '--verbose');
    expect(graded).toMatchObject({ code: 1, err: [], left: [] });
    const shown = graded.out.filter((line) => line.includes('bus | '));
    expect(shown[0]).toMatch(/bus \| \\u001b\[2Jx+ …$/);
    expect(shown.join('').length).toBeLessThan(20_000);
  });
});

test('two grades of the same program print the same', async () => {
  const code = server(`res.statusCode = req.method === 'POST' ? 500 : 404; res.end()`);
  const [one, two] = [await gradeCode(code), await gradeCode(code)];
  expect(one.out).toEqual(two.out);
  expect(firstOf(one)[2]).toBe('seen:     answered 500');
});

test('Ctrl-C ends the grade and all that it started', async () => {
  const graded = await grade(
    ['--bus', 'node lessons/7-replay/bus.ts'],
    (out, end) => out.includes('passed') && end('SIGINT'),
  );
  expect(graded).toMatchObject({ code: 130, err: [], left: [] });
  expect(graded.out.at(-1)).toBe('SIGINT: stopped.');
});

test('kill -9 of the grader ends all that it started, and removes its files', async () => {
  const graded = await grade(
    ['--bus', 'node lessons/7-replay/bus.ts'],
    (out, end) => out.includes('passed') && end('SIGKILL'),
  );
  expect(graded).toMatchObject({ code: null, left: [] });
});
