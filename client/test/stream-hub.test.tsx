// One connection for all windows of a browser: none misses a message, and none waits for another.
import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import fc from 'fast-check';
import { createHub, type FromHub, type ToHub } from '../src/shared/stream-hub.ts';
import { FakeEventSource } from './fake-blog.ts';

let connect: ReturnType<typeof createHub>;

beforeEach(() => {
  jest.useFakeTimers();
  globalThis.EventSource = FakeEventSource as unknown as typeof EventSource;
  FakeEventSource.opened = [];
  connect = createHub();
});
afterEach(() => void jest.useRealTimers());

/** A window that joins the stream, and the messages it gets. */
function join(path = '/stream', hub = connect) {
  const heard: FromHub[] = [];
  const say = hub((message) => heard.push(message));
  say({ join: path });
  return { say, heard, data: () => heard.flatMap((one) => (typeof one === 'object' && 'data' in one ? one.data : [])) };
}
const open = () => FakeEventSource.opened.filter(({ closed }) => !closed);
const follow = (position: string, isFresh = true) => ({ follow: position, isFresh });

test('all windows share one connection to a stream, until the last one leaves', () => {
  const windows = Array.from({ length: 7 }, () => join());
  for (const { say } of windows) say(follow('db-1'));
  const system = join('/api/system/log/stream');
  system.say(follow('5-x'));
  expect(open().map(({ url }) => url)).toEqual(['/stream?after=db-1', '/api/system/log/stream?after=5-x']);
  open()[0]?.send('db-2', { n: 2 });
  for (const { data } of windows) expect(data()).toEqual(['{"n":2}']);
  expect(system.data()).toEqual([]);
  for (const [i, { say }] of windows.entries()) {
    expect(open()).toHaveLength(2);
    say('leave');
    if (i === 6) expect(open().map(({ url }) => url)).toEqual(['/api/system/log/stream?after=5-x']);
  }
});

test('of two windows that joined at once and read different lists, the one with the older list reads anew', () => {
  const [one, other] = [join(), join()];
  one.say(follow('db-9'));
  other.say(follow('db-7'));
  expect([one.heard.includes('reset'), other.heard.includes('reset')]).toEqual([false, true]);
  other.say('leave');
  const again = join();
  again.say(follow('db-10'));
  expect(again.heard).not.toContain('reset');
});

test('a window that comes back resumes only if nothing came meanwhile', () => {
  const stays = join();
  stays.say(follow('db-1'));
  open()[0]?.send('db-2', { n: 2 });
  const [same, missed] = [join(), join()];
  same.say(follow('db-2', false));
  missed.say(follow('db-1', false));
  expect([same.heard.includes('reset'), missed.heard.includes('reset')]).toEqual([false, true]);
});

test('when the server cannot resume, all windows read anew, and the next connection begins at their position', () => {
  const windows = [join(), join()];
  for (const { say } of windows) say(follow('db-1'));
  open()[0]?.reset();
  for (const { heard } of windows) expect(heard.at(-1)).toBe('reset');
  expect(open()).toEqual([]);
  join().say(follow('new-1'));
  expect(open().map(({ url }) => url)).toEqual(['/stream?after=new-1']);
});

test('a silent window gets no more messages, delays no other, and reads anew when it wakes', () => {
  const [awake, hangs] = [join(), join()];
  for (const { say } of [awake, hangs]) say(follow('db-1'));
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

test('with only one connection allowed, the second stream is polled until the connection is free', () => {
  const hub = createHub(1);
  const [blog, log] = [join('/stream', hub), join('/api/system/log/stream', hub)];
  blog.say(follow('db-1'));
  log.say(follow('5-x'));
  expect(open().map(({ url }) => url)).toEqual(['/stream?after=db-1']);
  expect(log.heard.at(-1)).toEqual({ state: 'live' });
  jest.advanceTimersByTime(5_000);
  expect(log.heard.at(-1)).toBe('reset');
  blog.say('leave');
  join('/api/system/log/stream', hub).say(follow('6-x'));
  expect(open().map(({ url }) => url)).toEqual(['/api/system/log/stream?after=6-x']);
});

/**
 * A window as live-stream.ts has it: its known part of a log, up to a position; undefined until it has read and
 * follows.
 */
type Window = {
  say: ((message: ToHub) => void) | undefined;
  known: Set<number> | undefined;
  position: number;
  /** Read, but not followed from yet. `isFresh`: read since it joined. */
  read: number | undefined;
  isFresh: boolean;
  held: number[];
};

const step = fc.tuple(
  fc.constantFrom('write', 'send', 'join', 'read', 'follow', 'leave', 'lose', 'reset'),
  fc.nat({ max: 2 }),
);

test('under any sequence of actions no window misses a message in the end', () => {
  const property = fc.property(fc.array(step, { maxLength: 60, size: 'max' }), (steps) => {
    connect = createHub();
    FakeEventSource.opened = [];
    const unknown = { known: undefined, position: 0, read: undefined, isFresh: false };
    const windows = [1, 2, 3].map((): Window => ({ ...unknown, say: undefined, held: [] }));
    const sent = new Map<FakeEventSource, number>();
    let head = 0;

    const acts: Record<(typeof steps)[number][0], (one: Window) => void> = {
      write: () => {
        head += 1;
      },
      send() {
        const [source] = open();
        if (!source) return;
        const after = Number(new URL(source.url, 'http://x').searchParams.get('after'));
        for (let n = (sent.get(source) ?? after) + 1; n <= head; n++) source.send(String(n), n as never);
        sent.set(source, head);
      },
      join(one) {
        if (one.say) return;
        const say = connect((message) => {
          if (one.say !== say) return;
          if (message === 'reset') {
            acts.leave(one);
            Object.assign(one, unknown);
          } else if (message === 'joined') {
            if (one.known) say(follow(String(one.position), false));
          } else if ('data' in message) {
            if (!one.known) return one.held.push(Number(message.data));
            one.known.add(Number(message.data));
            one.position = Number(message.id);
          }
        });
        Object.assign(one, { say, isFresh: false, held: [] });
        say({ join: '/stream' });
      },
      read(one) {
        if (!one.known) Object.assign(one, { read: head, isFresh: one.say !== undefined });
      },
      follow(one) {
        if (one.read === undefined || !one.say) return;
        one.known = new Set([...Array.from({ length: one.read }, (_, i) => i + 1), ...one.held]);
        one.position = one.read;
        one.read = undefined;
        one.say(follow(String(one.position), one.isFresh));
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
        for (const what of ['join', 'read', 'follow', 'send'] as const) acts[what](one);
      }
    }
    const all = Array.from({ length: head }, (_, i) => i + 1);
    for (const { known } of windows) expect([...(known ?? [])].sort((a, b) => a - b)).toEqual(all);
  });
  fc.assert(property, { numRuns: 1_000 });
});
