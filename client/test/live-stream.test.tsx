// A window's stream: reconnection, resuming, and hidden tabs.

import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { openLiveStream } from '../src/shared/live-stream.ts';
import type { StreamState } from '../src/shared/source.ts';
import type { FromHub } from '../src/shared/stream-hub.ts';
import { aMessage, aPost, FakeEventSource } from './fake-blog.ts';

let hidden = false;
let states: StreamState[];
let resets: number;
let close: () => void;

beforeEach(() => {
  jest.useFakeTimers();
  jest.spyOn(Math, 'random').mockReturnValue(0.999);
  jest.spyOn(document, 'hidden', 'get').mockImplementation(() => hidden);
  globalThis.EventSource = FakeEventSource as unknown as typeof EventSource;
  globalThis.fetch = async () => ({ status: 503 }) as Response;
  FakeEventSource.opened = [];
  hidden = false;
  states = [];
  resets = 0;
  close = openLiveStream({
    path: '/stream',
    position: 'db-1',
    onMessage: () => undefined,
    onReset: () => {
      resets += 1;
    },
    onState: (state) => states.push(state),
  });
});

afterEach(() => {
  close();
  jest.restoreAllMocks();
  jest.useRealTimers();
});

const opened = () => FakeEventSource.opened.length;
const show = (shown: boolean) => {
  hidden = !shown;
  document.dispatchEvent(new Event('visibilitychange'));
};

describe('the stream', () => {
  test('a lost connection is opened anew, each time after a longer wait up to a bound', () => {
    const waits: number[] = [];
    for (let attempt = 0; attempt < 8; attempt++) {
      const before = opened();
      FakeEventSource.last.fail();
      expect(FakeEventSource.last.closed).toBe(true);
      let waited = 0;
      for (; opened() === before && waited < 20_000; waited += 100) jest.advanceTimersByTime(100);
      waits.push(waited);
    }
    expect(waits.slice(0, 5)).toEqual([500, 1000, 2000, 4000, 8000]);
    expect(Math.max(...waits)).toBeLessThanOrEqual(10_000);
    expect(states.at(-1)).toBe('lost');
  });

  test('a connection that held for a while starts the waits from the beginning', () => {
    for (let attempt = 0; attempt < 4; attempt++) {
      FakeEventSource.last.fail();
      jest.advanceTimersByTime(10_000);
    }
    FakeEventSource.last.open();
    jest.advanceTimersByTime(5_000);
    const before = opened();
    FakeEventSource.last.fail();
    jest.advanceTimersByTime(500);
    expect(opened()).toBe(before + 1);
  });

  test('it resumes after the last complete group of messages', () => {
    FakeEventSource.last.send('db-7', aMessage(aPost(1)), aMessage(aPost(2)));
    FakeEventSource.last.onmessage?.(new MessageEvent('message', { data: '{}', lastEventId: 'db-7' }));
    FakeEventSource.last.fail();
    jest.advanceTimersByTime(500);
    expect(FakeEventSource.last.url).toBe('/stream?after=db-7');
  });

  test('a group that was cut off before its id is requested again', () => {
    FakeEventSource.last.onmessage?.(new MessageEvent('message', { data: '{}', lastEventId: '' }));
    FakeEventSource.last.fail();
    jest.advanceTimersByTime(500);
    expect(FakeEventSource.last.url).toBe('/stream?after=db-1');
  });

  test('a hidden tab has no stream, and one that is shown again catches up', () => {
    FakeEventSource.last.send('db-3', aMessage(aPost(1)));
    show(false);
    expect(FakeEventSource.opened.every((source) => source.closed)).toBe(true);
    jest.advanceTimersByTime(60_000);
    expect(opened()).toBe(1);
    show(true);
    expect(FakeEventSource.last.url).toBe('/stream?after=db-3');
  });

  test('a page from the back/forward cache gets its stream again', () => {
    FakeEventSource.last.send('db-3', aMessage(aPost(1)));
    window.dispatchEvent(new Event('pagehide'));
    expect(FakeEventSource.opened.every((source) => source.closed)).toBe(true);
    window.dispatchEvent(new Event('pageshow'));
    expect(FakeEventSource.opened.filter(({ closed }) => !closed).map(({ url }) => url)).toEqual([
      '/stream?after=db-3',
    ]);
  });

  test('a page that was opened hidden joins from where it has read when it is shown', () => {
    close();
    hidden = true;
    const closeLate = openLiveStream({
      ...{ path: '/stream', position: 'db-5' },
      onMessage: () => undefined,
      onReset: () => undefined,
      onState: () => undefined,
    });
    expect(opened()).toBe(1);
    show(true);
    expect(FakeEventSource.last.url).toBe('/stream?after=db-5');
    closeLate();
  });

  test('a browser that says that it is offline reconnects all the same: the blog may be on the same machine', () => {
    FakeEventSource.last.open();
    window.dispatchEvent(new Event('offline'));
    expect(states.at(-1)).toBe('lost');
    jest.advanceTimersByTime(500);
    FakeEventSource.last.open();
    expect(states.at(-1)).toBe('live');
  });

  test('a connection that does not open within ten seconds is lost', () => {
    jest.advanceTimersByTime(9_999);
    expect(states.at(-1)).toBe('connecting');
    jest.advanceTimersByTime(1);
    expect(states.at(-1)).toBe('lost');
    jest.advanceTimersByTime(500);
    expect(opened()).toBe(2);
  });

  test('never more than one stream is open', () => {
    FakeEventSource.last.fail();
    window.dispatchEvent(new Event('online'));
    show(false);
    show(true);
    jest.advanceTimersByTime(20_000);
    expect(FakeEventSource.opened.filter((source) => !source.closed)).toHaveLength(1);
  });

  test.each([
    ['is away for long resumes from its position', 503, 0],
    ['was replaced by one without a stream asks for the list', 404, 1],
    ['answers, but whose stream does not get through asks for the list', 200, 1],
  ])('the stream of a part that %s', async (_, status, asked) => {
    globalThis.fetch = async () => ({ status, ok: status === 200 }) as Response;
    for (let attempt = 0; attempt < 4 && resets === 0; attempt++) {
      FakeEventSource.last.fail();
      await jest.advanceTimersByTimeAsync(10_000);
    }
    expect(resets).toBe(asked);
    expect(FakeEventSource.last.closed).toBe(asked === 1);
  });

  test('a reset ends the stream and asks for the list, at most twice a second', () => {
    FakeEventSource.last.reset();
    jest.advanceTimersByTime(499);
    expect(resets).toBe(0);
    jest.advanceTimersByTime(1);
    expect(resets).toBe(1);
    jest.advanceTimersByTime(20_000);
    expect(FakeEventSource.opened.every((source) => source.closed)).toBe(true);
  });

  describe('a shared worker', () => {
    afterEach(() => void Reflect.deleteProperty(globalThis, 'SharedWorker'));
    let started = 0;

    /** Fakes workers, each of which answers this many times. */
    function fakeWorkers(...answers: number[]) {
      started = 0;
      globalThis.SharedWorker = class {
        readonly port = {
          left: answers[started++] ?? 0,
          onmessage: (_: { data: FromHub }) => {},
          close: () => {},
          postMessage() {
            if (this.left-- > 0) this.onmessage({ data: { state: 'live' } });
          },
        };
      } as unknown as typeof SharedWorker;
    }
    const openNext = (position: string): (() => void) =>
      openLiveStream({
        ...{ path: '/log', position, onMessage: () => undefined, onState: () => undefined },
        onReset: () => {
          close = openNext(`${position}0`);
        },
      });

    test('that has died is replaced; without one that answers the window reads by itself', () => {
      close();
      fakeWorkers(3, 0);
      close = openNext('1');
      jest.advanceTimersByTime(19_999);
      expect([started, opened()]).toEqual([1, 1]);
      jest.advanceTimersByTime(10);
      expect([started, opened()]).toEqual([2, 1]);
      jest.advanceTimersByTime(5_010);
      expect([started, FakeEventSource.last.url]).toEqual([2, '/log?after=100']);
    });
  });
});
