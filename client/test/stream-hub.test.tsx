// One connection for all windows of a browser: none misses a message, and none waits for another.
import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import fc from 'fast-check';
import { createHub, type FromHub, type ToHub } from '../src/shared/stream-hub.ts';
import { FakeEventSource } from './fake-blog.ts';

let connect: ReturnType<typeof createHub>;

beforeEach(() => {
  jest.useFakeTimers();
  globalThis.EventSource = FakeEventSource as unknown as typeof EventSource;
  globalThis.fetch = async () => ({ status: 503 }) as Response;
  FakeEventSource.opened = [];
  connect = createHub();
});
afterEach(() => void jest.useRealTimers());

/** A window that joins the stream, and the messages it gets. */
function join(position: string, path = '/stream', hub = connect) {
  const heard: FromHub[] = [];
  const say = hub((message) => heard.push(message));
  say({ join: path, position });
  return { say, heard, data: () => heard.flatMap((one) => (typeof one === 'object' && 'data' in one ? one.data : [])) };
}
const open = () => FakeEventSource.opened.filter(({ closed }) => !closed);
const urls = () => open().map(({ url }) => url);

test('all windows share one connection to a stream, until the last one leaves', () => {
  const windows = Array.from({ length: 7 }, () => join('db-1'));
  const system = join('5-x', '/api/system/log/stream');
  expect(urls()).toEqual(['/stream?after=db-1', '/api/system/log/stream?after=5-x']);
  open()[0]?.send('db-2', { n: 2 });
  for (const { data } of windows) expect(data()).toEqual(['{"n":2}']);
  expect(system.data()).toEqual([]);
  for (const [i, { say }] of windows.entries()) {
    expect(open()).toHaveLength(2);
    say('leave');
    if (i === 6) expect(urls()).toEqual(['/api/system/log/stream?after=5-x']);
  }
});

test.each([
  ['of a list', 'model-9', 'model-10'],
  ['of the log', '9-ffff', '10-0000'],
])(
  'a window with an earlier position %s takes the shared stream back there, one with a later one does not',
  (_, earlier, later) => {
    join(later);
    expect(FakeEventSource.opened).toHaveLength(1);
    join(earlier);
    expect(urls()).toEqual([`/stream?after=${earlier}`]);
    join(later);
    expect(FakeEventSource.opened).toHaveLength(2);
  },
);

test('a window that joins while the connection waits for its next attempt makes it at once', () => {
  jest.spyOn(Math, 'random').mockReturnValue(0.999);
  join('db-1');
  open()[0]?.fail();
  expect(open()).toEqual([]);
  join('db-3');
  expect(urls()).toEqual(['/stream?after=db-1']);
  jest.restoreAllMocks();
});

test('when the server cannot resume, all windows read anew, and the next connection begins at their position', () => {
  const windows = [join('db-1'), join('db-1')];
  open()[0]?.reset();
  for (const { heard } of windows) expect(heard.at(-1)).toBe('reset');
  expect(open()).toEqual([]);
  join('new-1');
  expect(urls()).toEqual(['/stream?after=new-1']);
});

test('a silent window gets no more messages, delays no other, and reads anew when it wakes', () => {
  const [awake, hangs] = [join('db-1'), join('db-1')];
  for (let n = 0; n < 7; n++) {
    jest.advanceTimersByTime(5_000);
    awake.say('here');
  }
  open()[0]?.send('db-2', { n: 2 });
  expect([awake.data(), hangs.data()]).toEqual([['{"n":2}'], []]);
  hangs.say('here');
  expect(hangs.heard.at(-1)).toBe('reset');
  expect(awake.heard).not.toContain('reset');
});

test('after a sleep, or a jump of the clock, all windows read anew over a new connection', () => {
  const windows = [join('db-1'), join('db-1')];
  jest.setSystemTime(Date.now() + 3_600_000);
  for (const { say, heard } of windows) {
    say('here');
    expect(heard.at(-1)).toBe('reset');
  }
  expect(open()).toEqual([]);
  const back = join('db-7');
  jest.setSystemTime(Date.now() - 7_200_000);
  back.say('here');
  expect(back.heard).not.toContain('reset');
});

test.each([
  ['that read before the read model was rebuilt', 'new-9', 'old-7'],
  ['that read after it', 'old-7', 'new-9'],
  ['that read before the log was wiped', '20-ffff', '500-0000'],
])('a window %s is not taken for up to date: all read anew', (_, known, other) => {
  const windows = [join(known), join(other)];
  open()[0]?.open();
  for (const { say, heard } of windows) if (!heard.includes('reset')) say('here');
  for (const { heard } of windows) expect(heard.filter((one) => one === 'reset')).toHaveLength(1);
  expect(open()).toEqual([]);
});

test('a window that joins ahead of the stream is up to date once the stream has caught up', () => {
  const [behind, ahead] = [join('db-1'), join('db-3')];
  open()[0]?.open();
  open()[0]?.send('db-3', { n: 3 });
  for (const { say, heard } of [behind, ahead]) {
    say('here');
    expect(heard).not.toContain('reset');
  }
});

test('with only one connection allowed, the second stream is polled until the connection is free', () => {
  const hub = createHub(1);
  const blog = join('db-1', '/stream', hub);
  const log = join('5-x', '/api/system/log/stream', hub);
  expect(urls()).toEqual(['/stream?after=db-1']);
  expect(log.heard.at(-1)).toEqual({ state: 'live' });
  log.say('here');
  expect(log.heard.at(-1)).toBe('reset');
  blog.say('leave');
  join('6-x', '/api/system/log/stream', hub);
  expect(urls()).toEqual(['/api/system/log/stream?after=6-x']);
});

/** A window as live-stream.ts has it: its known part of a log, up to a position; undefined until it has read. */
type Window = { say: ((message: ToHub) => void) | undefined; known: Set<number> | undefined; position: number };

const step = fc.tuple(fc.constantFrom('write', 'send', 'read', 'join', 'leave', 'lose', 'reset'), fc.nat({ max: 2 }));

test('under any sequence of actions no window misses a message in the end', () => {
  const property = fc.property(fc.array(step, { maxLength: 60, size: 'max' }), (steps) => {
    connect = createHub();
    FakeEventSource.opened = [];
    const windows = [1, 2, 3].map((): Window => ({ say: undefined, known: undefined, position: 0 }));
    const sent = new Map<FakeEventSource, number>();
    let head = 0;

    const acts: Record<(typeof steps)[number][0], (one: Window) => void> = {
      write: () => {
        head += 1;
      },
      send() {
        const [source] = open();
        if (!source) return;
        source.open();
        const after = Number(new URL(source.url, 'http://x').searchParams.get('after'));
        for (let n = (sent.get(source) ?? after) + 1; n <= head; n++) source.send(String(n), n as never);
        sent.set(source, head);
      },
      read(one) {
        if (one.known) return;
        one.known = new Set(Array.from({ length: head }, (_, i) => i + 1));
        one.position = head;
      },
      join(one) {
        if (one.say || !one.known) return;
        const say = connect((message) => {
          if (one.say !== say) return;
          if (message === 'reset') {
            acts.leave(one);
            one.known = undefined;
          } else if (!message.state) {
            one.known?.add(Number(message.data));
            one.position = Number(message.id);
          }
        });
        one.say = say;
        say({ join: '/stream', position: String(one.position) });
      },
      leave(one) {
        one.say?.('leave');
        one.say = undefined;
      },
      lose() {
        open()[0]?.fail();
        jest.advanceTimersByTime(1_000);
      },
      reset: () => open()[0]?.reset(),
    };
    for (const [what, which] of steps) acts[what](windows[which] as Window);

    for (let turn = 0; turn < 8; turn++) {
      jest.advanceTimersByTime(10_000);
      for (const one of windows) {
        one.say?.('here');
        for (const what of ['read', 'join', 'send'] as const) acts[what](one);
      }
    }
    const all = Array.from({ length: head }, (_, i) => i + 1);
    for (const { known } of windows) expect([...(known ?? [])].sort((a, b) => a - b)).toEqual(all);
  });
  fc.assert(property, { numRuns: 300 });
});
