// The benchmark's own code: options, statistics, its table and plot, its load generator.

import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { startProcess } from '../../e2e/lib/system.ts';
import { Connection } from '../connection.ts';
import { type Figure, NotMeasured, ratio } from '../figure.ts';
import { quorum } from '../figures/quorum.ts';
import { percentile } from '../load.ts';
import { plotOf } from '../plot.ts';
import { oneLine, resultOf, spreadOf, tableOf } from '../results.ts';
import { startWriter } from '../retrying-writer.ts';

const figure: Figure = {
  name: 'writes',
  title: 'made up',
  sides: ['naive', 'ours', 'theirs'],
  units: { rate: '/s', memory: 'MB' },
  measure: async () => ({}),
  goals: [
    { text: 'ours & naive', of: ({ ours, naive }) => ratio(ours?.rate, naive?.rate), atLeast: 10 },
    { text: 'time', of: () => 60, atMost: 50 },
    { text: 'lost', of: () => 0, atMost: 0 },
    { text: 'never', of: () => Number.POSITIVE_INFINITY, atMost: 50 },
    { text: 'memory', of: ({ ours }) => ours?.memory, atMost: 400 },
  ],
};
const runs = new Map([
  ['naive', [{ rate: 110 }, { rate: 90 }, { rate: 100 }]],
  ['ours', [{ rate: 2_000 }, { rate: 1_000 }, { rate: 5_000 }]],
]);
const result = resultOf(figure, runs, { theirs: 'it is not installed' });

test.each([
  [['--side', 'nonsense'], '--side nonsense: the sides are '],
  [['--figure', 'nonsense'], '--figure nonsense: the figures are '],
  [['--figure', 'disk', '--side', 'naive'], '--side naive: the sides are fsync.'],
  [['--repeat', '0'], '--repeat must be'],
  [['--unknown'], "Unknown option '--unknown'"],
])('wrong usage of the benchmark ends with code 2 and shows the right one: %j', async (args, said) => {
  const main = join(import.meta.dirname, '..', 'main.ts');
  const { code, stdout, stderr } = await new Promise<{ code: unknown; stdout: string; stderr: string }>((resolve) => {
    execFile(process.execPath, [main, ...args], (error, stdout, stderr) =>
      resolve({ code: error?.code, stdout, stderr }),
    );
  });
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).toContain(said);
  expect(stderr).toContain('Usage: npm run bench');
});

test('the median of an odd number of values is the one in the middle, of an even number halfway between two', () => {
  expect(spreadOf([10, 1, 2])).toEqual({ median: 2, min: 1, max: 10, values: [10, 1, 2] });
  expect(spreadOf([10, 1, 2, 4])).toEqual({ median: 3, min: 1, max: 10, values: [10, 1, 2, 4] });
  expect(spreadOf([7]).median).toBe(7);
});

test('a percentile is a measured value that this percentage of values do not exceed', () => {
  const hundred = Array.from({ length: 100 }, (_, i) => 100 - i);
  expect([50, 99, 100].map((percent) => percentile(hundred, percent))).toEqual([50, 99, 100]);
  expect(percentile([1, 2, 3, 4], 99)).toBe(4);
  expect(percentile([5], 99)).toBe(5);
  expect(percentile([], 50)).toBeNaN();
});

test('goals are judged by the medians; what was not measured is neither met nor missed', () => {
  expect(result.sides.ours?.rate?.median).toBe(2_000);
  expect(result.goals.map(({ value, met }) => ({ value, met }))).toEqual([
    { value: 20, met: true },
    { value: 60, met: false },
    { value: 0, met: true },
    { value: Number.POSITIVE_INFINITY, met: false },
    { value: undefined, met: undefined },
  ]);
  expect(JSON.parse(JSON.stringify(result))).toMatchObject({
    name: 'writes',
    notMeasured: { theirs: 'it is not installed' },
  });
});

test('the table has a line for each metric, with the reason if it was not measured', () => {
  expect(tableOf([result]).split('\n')).toEqual([
    '',
    'writes: made up',
    '                       naive                   ours',
    '  rate, /s     100 (90..110)   2,000 (1,000..5,000)',
    '  memory, MB    not measured           not measured',
    '  theirs: not measured, it is not installed',
    '  goal: ours & naive ≥ 10: 20, met',
    '  goal: time ≤ 50: 60, MISSED',
    '  goal: lost ≤ 0: 0, met',
    '  goal: never ≤ 50: ∞, MISSED',
    '  goal: memory ≤ 400: not measured',
  ]);
});

test('the plot has a bar for each goal that was measured: to the right of the goal if it is met, else to the left', () => {
  const svg = plotOf([result], '2 cores, <disk>');
  const bars = Array.from(svg.matchAll(/<rect class="(\w+)" x="(\d+)" .*width="(\d+)"/g), ([, kind, x, width]) => ({
    kind,
    from: Number(x),
    to: Number(x) + Number(width),
  }));
  const goal = Number(/<line x1="(\d+)"[^>]*class="goal"/.exec(svg)?.[1]);
  expect(bars.map(({ kind }) => kind)).toEqual(['met', 'missed', 'met', 'missed']);
  expect(bars.map(({ from, to }) => (from === goal ? 'right' : to === goal ? 'left' : 'elsewhere'))).toEqual([
    'right',
    'left',
    'right',
    'left',
  ]);
  expect(svg).toContain('ours &amp; naive ≥ 10');
  expect(svg).toContain('2 cores, &lt;disk>');
  expect(svg).not.toMatch(/NaN|undefined|memory/);
});

test('a port in use is reported in one line, whichever process finds it', () => {
  const line = 'posts cannot listen on port 4000: it is already in use.';
  expect(oneLine(new Error(`the runner ended\n\n${line}\nmore`))).toBe(line);
  expect(oneLine(new Error('the database is locked\n    at somewhere'))).toBe('the database is locked');
});

test('a server that finds its port taken is reported at once, without a timeout', async () => {
  const other = createServer().listen(0, '127.0.0.1').unref();
  await once(other, 'listening');
  const port = (other.address() as AddressInfo).port;
  const starting = startProcess('bench/naive/query.ts', { PORT: String(port) });
  await expect(starting.catch((error) => oneLine(error))).resolves.toContain('EADDRINUSE');
  other.close();
});

test("the load generator's connection reads an answer that comes in pieces, and opens again after it was closed", async () => {
  const answer = 'HTTP/1.1 201 Created\r\nContent-Length: 6\r\n\r\nabc\r\n\r';
  let connections = 0;
  const server = createServer((socket) => {
    connections += 1;
    socket.setNoDelay();
    socket.on('data', async () => {
      if (connections === 1) return void socket.destroy();
      for (const piece of answer) {
        socket.write(piece);
        await new Promise(setImmediate); // so that it is read before the next
      }
    });
  });
  server.listen(0, '127.0.0.1').unref();
  await once(server, 'listening');
  const connection = new Connection(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  await expect(connection.request('GET', '/')).rejects.toThrow('ended before an answer');
  for (let n = 0; n < 3; n++) {
    const { status, body } = await connection.request('GET', '/');
    expect({ status, body: body.toString() }).toEqual({ status: 201, body: 'abc\r\n\r' });
  }
  expect(connections).toBe(2);
  connection.close();
  server.close();
});

/** A bus that takes events only while `takes` is set. */
async function startTaker() {
  const taker = { takes: true, taken: 0, url: '', close: () => {} };
  const server = createHttpServer((_req, res) => {
    taker.taken += Number(taker.takes);
    res.writeHead(taker.takes ? 201 : 503).end();
  });
  server.listen(0, '127.0.0.1').unref();
  await once(server, 'listening');
  taker.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  taker.close = () => void server.close();
  return taker;
}

test('the retrying writer turns to the other copy, and tells the longest time for which none took anything', async () => {
  const [a, b] = await Promise.all([startTaker(), startTaker()]);
  const writer = startWriter([a.url, b.url]);
  const turned = await writer.longestStop(async () => {
    a.takes = false;
  });
  expect(b.taken).toBeGreaterThan(0);
  const stopped = await writer.longestStop(async () => {
    b.takes = false;
    await pause(2_000);
    a.takes = true;
  });
  expect(stopped).toBeGreaterThan(1.9);
  expect(turned).toBeLessThan(stopped);
  await writer.stop();
  a.close();
  b.close();
});

test('without nats-server the quorum is not measured, with the way to get it', async () => {
  const { PATH, NATS_SERVER } = process.env;
  delete process.env.NATS_SERVER;
  process.env.PATH = '';
  const measured = quorum.measure({ side: 'quorum', quick: true, directory: '', say: () => {} });
  Object.assign(process.env, { PATH }, NATS_SERVER && { NATS_SERVER });
  const error = await measured.catch((error) => error);
  expect(error).toBeInstanceOf(NotMeasured);
  expect(error.message).toContain('github.com/nats-io/nats-server');
});
