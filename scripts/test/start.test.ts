// `npm start`, `npm run part` and `npm run reset`, with small fake parts.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { PARTS } from '@blog/common/run/parts.ts';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { addressOf } from '../lib/control.ts';
import { decidedSettings } from '../lib/part-process.ts';
import { until } from '../lib/until.ts';
import { createCheckout, fakePart, isAlive } from './checkout.ts';

let checkout: Awaited<ReturnType<typeof createCheckout>>;

beforeEach(async () => {
  checkout = await createCheckout();
});
afterEach(() => checkout.remove());

const occurrences = (text: string, part: string) => text.split(part).length - 1;

describe('npm start', () => {
  test('starts all parts in a folder of any name, prints the addresses, and stops all on SIGINT with exit code 0', async () => {
    const runner = checkout.start([...PARTS]);
    await until('ready', () => runner.output().includes('Ready after'));
    const pids: number[] = [];
    for (const name of PARTS) {
      const port = checkout.ports[name];
      pids.push((await until(name, () => checkout.get(name))).pid);
      expect(runner.output()).toContain(`http://localhost:${port}`);
    }
    runner.process.kill('SIGINT');
    expect(await runner.exited).toBe(0);
    expect(pids.filter(isAlive)).toEqual([]);
  });

  test('closing the terminal stops all parts', async () => {
    const runner = checkout.start(['posts']);
    const { pid } = await until('posts', () => checkout.get('posts'));
    runner.process.kill('SIGHUP');
    await runner.exited;
    expect(isAlive(pid)).toBe(false);
  });

  // The shell's own signal handling is what leaves the runner behind; Windows has no signals.
  (process.platform === 'win32' ? test.skip : test)(
    'a signal to npm, which ends only its shell, stops all parts',
    async () => {
      const shell = ['sh', '-c', '"$@"; exit $?', 'sh'];
      const setup = ['scripts/run/start.ts', ...checkout.only('posts')];
      const runner = checkout.run('lib/setup.mjs', setup, { npm_lifecycle_event: 'start' }, shell);
      const { pid, ppid } = await until('posts', () => checkout.get('posts'));
      runner.process.kill('SIGTERM');
      await until('it ends', () => !isAlive(pid)).finally(() => isAlive(ppid) && process.kill(ppid, 'SIGKILL'));
      await runner.exited;
      expect(runner.output()).toContain('SIGTERM: stopping');
    },
  );

  test.each([[[]], [['--production']]])('when the runner is killed, its children end (%p)', async (args: string[]) => {
    const runner = checkout.start(['posts', 'client'], args);
    const posts = await until('posts', () => checkout.get('posts'));
    const client = await until('client', () => checkout.get('client'));
    runner.process.kill('SIGKILL');
    // Its output closes only when the last process that holds it has ended, including the watcher.
    await runner.exited;
    await until('all ended', () => !isAlive(posts.pid) && !isAlive(client.pid));
  });

  test.each([[[]], [['--production']]])('a part that is killed comes back (%p)', async (args: string[]) => {
    checkout.start(['posts'], args);
    const before = await until('posts', () => checkout.get('posts'));
    process.kill(before.pid, 'SIGKILL');
    const after = await until('posts again', async () => {
      const now = await checkout.get('posts');
      return now && now.pid !== before.pid ? now : undefined;
    });
    expect(after.text).toBe('first');
  });

  test('a part ended by SIGTERM is restarted, too', async () => {
    checkout.start(['posts']);
    const before = await until('posts', () => checkout.get('posts'));
    process.kill(before.pid, 'SIGTERM');
    await until('posts again', async () => ((await checkout.get('posts'))?.pid ?? before.pid) !== before.pid);
  });

  test('an edit, also to common/, restarts a part', async () => {
    checkout.start(['posts']);
    await until('posts', () => checkout.get('posts'));
    checkout.edit('posts', fakePart('second'));
    const second = await until('second', async () => {
      const now = await checkout.get('posts');
      return now?.text === 'second' ? now : undefined;
    });
    writeFileSync(join(checkout.root, 'common', 'src', 'new.ts'), 'export {};\n');
    await until('a new process', async () => ((await checkout.get('posts'))?.pid ?? second.pid) !== second.pid);
  });

  test('edits are noticed in new folders, and after the watched folder was missing for a while', async () => {
    const runner = checkout.start(['posts']);
    await until('ready', () => runner.output().includes('Ready after'));
    const src = join(checkout.root, 'posts', 'src');
    mkdirSync(join(src, 'new'));
    for (const source of ['export {};\n', 'export const a = 1;\n']) {
      const before = await until('posts', () => checkout.get('posts'));
      writeFileSync(join(src, 'new', 'a.ts'), source);
      await until('a new process', async () => ((await checkout.get('posts'))?.pid ?? before.pid) !== before.pid);
    }
    renameSync(src, `${src}-gone`);
    await until('it crashes', () => runner.output().includes('ended with code 1'));
    const edits = () => occurrences(runner.output(), 'edited, restarting');
    const before = edits();
    renameSync(`${src}-gone`, src);
    await until('the folder is seen', () => edits() > before);
    await until('posts again', () => checkout.get('posts'));
  });

  test('a syntax error is printed once, however often the part is restarted, and an edit brings the part back at once', async () => {
    checkout.edit('posts', 'const = 1;');
    const runner = checkout.start(['posts', 'query']);
    await until('ready without it', () => runner.output().includes('Ready after'));
    await until('several tries', async () => restartsOf((await status()).output(), 'posts') >= 4);
    expect(occurrences(runner.output(), '| SyntaxError')).toBe(1);
    expect(occurrences(runner.output(), 'ended with code 1')).toBe(1);
    checkout.edit('posts', fakePart('repaired'));
    await until('repaired', async () => (await checkout.get('posts'))?.text === 'repaired');
    // Not by the backoff, which is longer than a second by now.
    expect(occurrences(runner.output(), 'edited, restarting')).toBeGreaterThan(0);
  });

  test('an invalid setting is not retried and ends the runner with 78', async () => {
    checkout.edit('posts', 'console.error("POSTS_COLOUR must be a colour"); process.exit(78);');
    const runner = checkout.start(['posts', 'query']);
    expect(await runner.exited).toBe(78);
    expect(occurrences(runner.output(), 'POSTS_COLOUR')).toBe(1);
    expect(await checkout.get('query')).toBeUndefined();
  });

  test('a part that does not stop is killed after some seconds', async () => {
    checkout.edit(
      'posts',
      `${fakePart('deaf')}\nprocess.removeAllListeners('SIGTERM'); process.on('SIGTERM', () => {});`,
    );
    const runner = checkout.start(['posts']);
    const { pid } = await until('posts', () => checkout.get('posts'));
    runner.process.kill('SIGINT');
    expect(await runner.exited).toBe(0);
    await until('it is gone', () => !isAlive(pid));
  });

  test('a port in use is named with its process in one line, and nothing is started', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(checkout.ports.query, '127.0.0.1', resolve));
    try {
      const runner = checkout.start(['posts', 'query']);
      expect(await runner.exited).toBe(1);
      expect(runner.output().trim().split('\n')).toHaveLength(1);
      expect(runner.output()).toContain(`query cannot listen on port ${checkout.ports.query}`);
      if (process.platform === 'linux') expect(runner.output()).toContain(`process ${process.pid}`);
      expect(await checkout.get('posts')).toBeUndefined();
    } finally {
      other.close();
    }
  });

  test('a second runner on the same data is refused, even with a stale socket of a killed one', async () => {
    const killed = checkout.start(['posts']);
    await until('posts', () => checkout.get('posts'));
    killed.process.kill('SIGKILL');
    await killed.exited;
    await until('the port is free', async () => !(await checkout.get('posts')));
    checkout.start(['posts']);
    await until('posts', () => checkout.get('posts'));
    const second = checkout.start(['query']);
    expect(await second.exited).toBe(1);
    expect(second.output()).toContain('Already running');
  });

  test('the same data through a link, and with another TMPDIR, is recognised as in use by runner, reset and commands', async () => {
    checkout.start(['posts']);
    await until('posts', () => checkout.get('posts'));
    const data = ['--data', join(checkout.root, 'link')];
    symlinkSync(join(checkout.root, '.data'), data[1] as string, 'junction');
    const other = join(checkout.root, 'tmp');
    mkdirSync(other);
    const env = { TMPDIR: other, TEMP: other, TMP: other };
    const second = checkout.start(['query'], data, env);
    expect(await second.exited).toBe(1);
    expect(second.output()).toContain('Already running');
    const reset = checkout.run('data/reset.ts', data, env);
    expect(await reset.exited).toBe(1);
    expect(reset.output()).toContain('The blog is running');
    const status = checkout.run('run/part.ts', ['status', ...data], env);
    expect(await status.exited).toBe(0);
    expect(status.output()).toMatch(/^posts +ready/m);
  });

  test.each([['--without', 'nobody'], ['--port', 'posts=x'], ['--colour']])(
    'an unknown option is refused: %s %s',
    async (...args) => {
      const runner = checkout.run('run/start.ts', args.filter(Boolean));
      expect(await runner.exited).toBe(2);
      const [, ...usage] = runner.output().trim().split('\n');
      expect(usage).toEqual([expect.stringMatching(/^Usage: npm start -- /)]);
    },
  );
});

// Windows does not allow ? * and " in names.
test.each(
  process.platform === 'win32' ? ['C# blog ', 'blog $& '] : ['C# blog ', 'blog? ', '* blog ', '"blog" ', 'blog $& '],
)('a folder called %p is refused in one sentence that names it', async (name) => {
  const there = await createCheckout(name);
  try {
    const runner = there.run('lib/setup.mjs', ['scripts/run/start.ts']);
    expect(await runner.exited).toBe(1);
    expect(runner.output().trim()).toMatch(
      /^The blog cannot run in a folder with # \? \* " or \$ in its name: rename .+, then start again\.$/,
    );
    expect(runner.output()).toContain(there.root);
  } finally {
    await there.remove();
  }
});

describe('the settings of the table in docs/settings.md', () => {
  const table = readFileSync(join(import.meta.dirname, '../../docs/settings.md'), 'utf8');
  const rows = table.split('\n').filter((line) => line.startsWith('| `'));
  const settings = rows.flatMap((row) =>
    [...(row.split('|')[1] ?? '').matchAll(/`(\w+)`/g)].map(([, name = '']) => name),
  );
  const handedOn = settings.filter((name) => !decidedSettings.has(name));

  test('are passed on to the parts, or refused by npm start', async () => {
    expect(settings).toEqual(expect.arrayContaining([...decidedSettings.keys()]));
    expect(handedOn).toEqual(expect.arrayContaining(['BANNED_WORDS', 'SUBSCRIPTIONS', 'CONTROL', 'LOG_LEVEL']));
    const says = `${fakePart('first')} console.log('has', ${JSON.stringify(handedOn)}.filter((name) => process.env[name] === 'own').join());`;
    for (const part of ['event-bus', 'client']) checkout.edit(part, says);
    const runner = checkout.start(
      ['event-bus', 'client'],
      [],
      Object.fromEntries(handedOn.map((name) => [name, 'own'])),
    );
    await until('ready', () => runner.output().includes('Ready after'));
    expect(occurrences(runner.output(), `has ${handedOn.join()}`)).toBe(2);
  });

  test.each([...decidedSettings.keys(), 'NODE_ENV'])(
    '%s is refused by name, with what to use instead',
    async (name) => {
      const runner = checkout.start(['posts'], [], { [name]: 'production' });
      expect(await runner.exited).toBe(2);
      expect(runner.output().trim()).toMatch(new RegExp(`^npm start does not take ${name}\\b.+: .+\\. Unset it\\.$`));
    },
  );
});

describe('the greeting', () => {
  test('a part that crashes is named with its last output, and its address once it is repaired', async () => {
    checkout.edit('client', 'throw new Error("The colour is missing");');
    const runner = checkout.start(['posts', 'client']);
    await until('the greeting', () => runner.output().includes('Ready after'));
    const greeting = runner.output().slice(runner.output().indexOf('Ready after'));
    expect(greeting).toMatch(/except for parts that did not start:\n +client +Error: The colour is missing/);
    expect(greeting).toContain(`http://localhost:${checkout.ports.posts}/posts`);
    expect(greeting).not.toContain(`http://localhost:${checkout.ports.client}`);
    checkout.edit('client', fakePart('repaired'));
    await until('its address', () =>
      runner.output().includes(`is ready now: http://localhost:${checkout.ports.client}`),
    );
    runner.process.kill('SIGINT');
    expect(await runner.exited).toBe(0);
  });

  test('with --logs every line of a copy is JSON in a file of its own, and the greeting says how to read it', async () => {
    checkout.edit('client', 'throw new Error("The colour is missing");');
    const runner = checkout.start(['posts', 'client'], ['--logs', '--copies', '2']);
    await until('the greeting', () => runner.output().includes('Ctrl-C stops all'));
    expect(runner.output()).toMatch(/npx pino-pretty < \.data\/logs\/posts-0\.log\n.*cat \.data\/logs\/\*\.log \| jq /);
    runner.process.kill('SIGINT');
    expect(await runner.exited).toBe(0);
    const lines = (name: string) =>
      readFileSync(join(checkout.root, '.data', 'logs', `${name}.log`), 'utf8')
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line));
    expect(lines('posts-1')).toEqual([{ level: 30, time: expect.any(Number), msg: 'listening' }]);
    const crash = { level: 30, time: expect.any(Number), service: 'client', msg: 'Error: The colour is missing' };
    expect(lines('client')).toContainEqual(crash);
    expect(await checkout.run('data/reset.ts').exited).toBe(0);
    expect(existsSync(join(checkout.root, '.data'))).toBe(false);
  });

  test('a part that crashes may have printed anything last', async () => {
    const line = '{"level":30,"msg":7}';
    checkout.edit('client', `console.log('${line}'); process.exitCode = 1;`);
    const runner = checkout.start(['posts', 'client']);
    await until('the greeting', () => runner.output().includes('Ctrl-C stops all'));
    expect(runner.output()).toContain(`client       ${line} (keeps restarting)`);
    expect(runner.process.exitCode).toBeNull();
  });

  test('a part that neither answers nor ends is named, too', async () => {
    checkout.edit('posts', 'console.log("waiting for the colour"); setInterval(() => {}, 1_000);');
    const runner = checkout.start(['posts', 'query']);
    await until('the greeting', () => runner.output().includes('Ready after'));
    expect(runner.output()).toMatch(
      /except for parts that did not start:\n +posts +waiting for the colour \(does not answer yet\)/,
    );
  });

  test('only running parts are suggested', async () => {
    const runner = checkout.start(['posts', 'client']);
    await until('the greeting', () => runner.output().includes('Ctrl-C stops all'));
    expect(runner.output()).toContain(`http://localhost:${checkout.ports.client}/system`);
    expect(runner.output()).toContain('Edit posts/src');
    expect(runner.output()).not.toMatch(/stop moderation|kill event-bus/);
  });
});

const inotify = (limit: string, value: number) => [
  'unshare',
  '-U',
  '-r',
  'sh',
  '-c',
  `echo ${value} > /proc/sys/user/${limit} && exec "$0" "$@"`,
];
const hasLimits =
  spawnSync('unshare', ['-U', '-r', 'sh', '-c', 'echo 9 > /proc/sys/user/max_inotify_watches']).status === 0;
(hasLimits ? test : test.skip).each([
  ['max_inotify_watches', 1, 'fs.inotify.max_user_watches'],
  ['max_inotify_instances', 0, 'fs.inotify.max_user_instances'],
])('at the limit %s parts run without a watcher, and one line names the limit', async (limit, value, setting) => {
  const runner = checkout.start(['posts', 'query'], [], {}, inotify(limit, value));
  await until('ready', () => runner.output().includes('Ctrl-C stops all'));
  expect(await checkout.get('posts')).toBeDefined();
  expect(await checkout.get('query')).toBeDefined();
  expect(runner.output().match(/^.*inotify.*$/gm)).toEqual([
    expect.stringContaining(`the limit of ${setting} is reached; raise it: sudo sysctl ${setting}=`),
  ]);
  expect(runner.output()).not.toContain('Edit posts/src');
});

describe('what comes from outside', () => {
  // Control characters (C0 but the line feed, C1), and the one that reverses the direction of text.
  const UNSAFE = /[\p{Cc}\u202e]/gu;
  const evil = '\u001b]0;title\u0007\u001b[2J\u009b31m\u202e\r';

  test("control characters in a part's output are shown escaped", async () => {
    const record = {
      level: 50,
      time: 0,
      msg: `msg ${evil}`,
      eventId: evil,
      [evil]: { deep: evil },
      err: { stack: `stack ${evil}` },
    };
    const says = (line: string) => `console.log(${JSON.stringify(line)});`;
    checkout.edit('posts', says(JSON.stringify(record)) + says(`text ${evil}`) + fakePart('first'));
    const runner = checkout.start(['posts']);
    await until('ready', () => runner.output().includes('Ctrl-C stops all'));
    expect(runner.output()).toContain('eventId=\\u001b]0;title\\u0007\\u001b[2J\\u009b31m\\u202e\\u000d');
    for (const said of ['msg ', 'stack ', 'text ']) expect(runner.output()).toContain(said);
    expect(runner.output().replaceAll('\n', '').match(UNSAFE)).toBeNull();
  });

  test.each([
    ['no JSON', 'no JSON\n'],
    ['an object', '{"stop":"posts"}\n'],
    ['numbers', '[1]\n'],
    ['null', 'null\n'],
    ['a line without an end', 'x'.repeat(200_000)],
  ])('an invalid command is answered with an error, and the runner continues: %s', async (_, sent) => {
    const runner = checkout.start(['posts']);
    await until('ready', () => runner.output().includes('Ready after'));
    const socket = connect(addressOf(join(checkout.root, '.data')));
    socket.on('error', () => {}).write(sent);
    const answer = (await socket.setEncoding('utf8').toArray()).join('');
    expect(JSON.parse(answer)).toEqual({ code: 1, text: expect.stringMatching(/Error/) });
    expect(await part('status')).toBe(0);
    expect(await checkout.get('posts')).toBeDefined();
  });
});

describe('npm run part', () => {
  test('stop, start, kill and status', async () => {
    const runner = checkout.start(['posts', 'query']);
    await until('ready', () => runner.output().includes('Ready after'));
    const first = await until('posts', () => checkout.get('posts'));
    expect(await part('stop', 'posts')).toBe(0);
    expect(await checkout.get('posts')).toBeUndefined();
    expect(isAlive(first.pid)).toBe(false);
    expect((await status()).output()).toMatch(/^posts +stopped/m);

    expect(await part('start', 'posts')).toBe(0);
    const second = await until('posts', () => checkout.get('posts'));
    await until('its state', async () =>
      new RegExp(`^posts +ready +${second.pid} `, 'm').test((await status()).output()),
    );
    expect(await part('kill', 'posts')).toBe(0);
    await until('posts again', async () => ((await checkout.get('posts'))?.pid ?? second.pid) !== second.pid);
    expect(restartsOf((await status()).output(), 'posts')).toBe(1);
  });

  test('with all parts stopped and without a terminal the runner still takes commands', async () => {
    const runner = checkout.start(['posts']);
    runner.process.stdin?.end();
    await until('posts', () => checkout.get('posts'));
    expect(await part('stop', 'posts')).toBe(0);
    expect(await part('start', 'posts')).toBe(0);
    await until('posts again', () => checkout.get('posts'));
  });

  test('a command can be typed into the runner', async () => {
    const runner = checkout.start(['posts']);
    await until('posts', () => checkout.get('posts'));
    runner.process.stdin?.write('stop posts\n');
    await until('stopped', async () => !(await checkout.get('posts')));
    await until('the answer', () => runner.output().includes('posts is stopped.'));
  });

  test('start is refused while something else has the port', async () => {
    const runner = checkout.start(['posts']);
    await until('ready', () => runner.output().includes('Ready after'));
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(checkout.ports.query, '127.0.0.1', resolve));
    expect(await part('start', 'query')).toBe(1);
    await new Promise((resolve) => other.close(resolve));
    expect(await part('start', 'query')).toBe(0);
    await until('query', () => checkout.get('query'));
  });

  test('tables shows the newest rows of a part, changes nothing, and is safe for a terminal', async () => {
    const data = join(checkout.root, '.data');
    mkdirSync(data);
    const db = new DatabaseSync(join(data, 'posts.db'));
    db.exec(`PRAGMA journal_mode = WAL;
      CREATE TABLE posts (seq INTEGER PRIMARY KEY, title TEXT, raw BLOB) STRICT;
      CREATE TABLE outbox (seq INTEGER PRIMARY KEY) STRICT`);
    const insert = db.prepare('INSERT INTO posts (title, raw) VALUES (?, ?)');
    for (let i = 1; i <= 11; i++)
      insert.run(i === 11 ? `\u001b[2J${'x'.repeat(1_000)}` : `post ${i}`, Buffer.from('abc'));
    const shown = checkout.run('run/part.ts', ['tables', 'posts']);
    expect(await shown.exited).toBe(0);
    db.close();
    const lines = shown.output().trim().split('\n');
    expect(lines[0]).toBe('posts (11 rows; the last 10)');
    expect(lines[1]).toBe('  seq=2  title=post 2  raw=<3 bytes>');
    expect(lines[10]).toMatch(/^ {2}seq=11 {2}title=\\u001b\[2Jx{51}…/);
    expect(lines.at(-1)).toBe('outbox (0 rows)');
    expect(await part('tables', 'client')).toBe(2);
  });

  test.each([
    [['stop', 'moderation'], 'kubectl -n blog scale statefulset/moderation --replicas=0'],
    [['start', 'client'], 'kubectl -n blog scale deployment/client --replicas=1'],
    [['kill', 'posts'], 'kubectl -n blog delete pod -l app.kubernetes.io/name=posts --force'],
    [['tables', 'query'], 'kubectl -n blog exec query-0 -- node /app/scripts/data/tables.ts /data/query.db'],
    [['status'], 'kubectl -n blog get pods'],
  ])('where nothing runs, %j names the line for a cluster', async (command, line) => {
    const asked = checkout.run('run/part.ts', command);
    expect(await asked.exited).toBe(1);
    expect(asked.output()).toBe(
      `Nothing is running here. Start it with: npm start\nIn Kubernetes (skaffold dev) it is: ${line}\n`,
    );
  });

  test('an unknown part or command is refused, and so is any without a runner', async () => {
    expect(await part('status')).toBe(1);
    const runner = checkout.start(['posts']);
    await until('ready', () => runner.output().includes('Ready after'));
    expect(await part('stop', 'nobody')).toBe(2);
    expect(await part('stop')).toBe(2);
    expect(await part('wipe', 'posts')).toBe(2);
    const asked = checkout.run('run/part.ts', ['explode', 'posts']);
    expect(await asked.exited).toBe(2);
    expect(asked.output()).toContain('stop PART, start PART, kill PART, status, tables PART');
  });
});

test('npm run reset deletes the data, but not while it is in use', async () => {
  const data = join(checkout.root, '.data');
  const runner = checkout.start(['posts']);
  await until('posts', () => checkout.get('posts'));
  writeFileSync(join(data, 'posts.db'), '');
  expect(await checkout.run('data/reset.ts').exited).toBe(1);
  expect(existsSync(data)).toBe(true);
  runner.process.kill('SIGTERM');
  await runner.exited;
  expect(await checkout.run('data/reset.ts').exited).toBe(0);
  expect(existsSync(data)).toBe(false);
});

const part = (...command: string[]) => checkout.run('run/part.ts', command).exited;

async function status() {
  const asked = checkout.run('run/part.ts', ['status']);
  await asked.exited;
  return asked;
}

function restartsOf(table: string, name: string): number {
  const row = table.split('\n').find((line) => line.startsWith(`${name} `));
  return Number(row?.split(/\s+/)[3]);
}
