// Shares streams between the windows of a browser.

import { openSource, type StreamState } from './source.ts';

/** A window joins with the position up to which it has read everything, and then beats (`here`) until it leaves. */
export type ToHub = { join: string; position: string } | 'here' | 'leave';
/** `reset`: messages may be missing, so the window reads anew and joins again. */
export type FromHub = 'reset' | { state: StreamState } | { state?: never; data: string; id: string };

/** The heartbeat timeout in milliseconds. A window that is silent for longer hangs, or the computer was asleep. */
const SILENT_MS = 30_000;

type Tell = (message: FromHub) => void;
/** `readers`: each with the time of its last heartbeat. */
type Shared = { readers: Map<Tell, number>; state: StreamState; source: ReturnType<typeof openSource> };

/**
 * Opens each stream once, however many windows follow it, and at most `most` at a time; without one, every heartbeat is
 * answered with a reset. A window that joins with an earlier position takes the stream back there: a message that comes
 * again is no harm. Returns a function that connects a window: it takes the window's listener, and returns the function
 * for sending messages.
 */
export function createHub(most = Number.POSITIVE_INFINITY) {
  const streams = new Map<string, Shared>();

  function open(path: string, position: string) {
    const readers: Shared['readers'] = new Map();
    const tellAll: Tell = (message) => {
      for (const tell of readers.keys()) tell(message);
    };
    const source = openSource({
      ...{ path, position },
      onMessage: (data, id) => tellAll({ data, id }),
      onReset() {
        streams.delete(path);
        tellAll('reset');
      },
      onState(state) {
        shared.state = state;
        tellAll({ state });
      },
    });
    const shared: Shared = { readers, state: 'connecting', source };
    streams.set(path, shared);
  }

  function leave(path: string, reader: Tell) {
    const shared = streams.get(path);
    if (!shared?.readers.delete(reader) || shared.readers.size > 0) return;
    shared.source.close();
    streams.delete(path);
  }

  return (tell: Tell) => {
    let [path, position] = ['', ''];
    return (message: ToHub) => {
      const now = Date.now();
      if (message === 'leave') return leave(path, tell);
      if (message === 'here') {
        // After a sleep, or a jump of the clock, no window is in time and no connection is trusted: all read anew.
        for (const [reader, at] of streams.get(path)?.readers ?? []) if (now - at > SILENT_MS) leave(path, reader);
        const shared = streams.get(path);
        if (!shared?.readers.has(tell)) return tell('reset');
        // By now a live stream has come to the position of each window, unless that is of another database.
        if (shared.state === 'live' && shared.source.isBehind(position)) return shared.source.reset();
      } else {
        path = message.join;
        position = message.position;
        if (!streams.has(path) && streams.size < most) open(path, position);
        streams.get(path)?.source.goBackTo(position);
      }
      const shared = streams.get(path);
      shared?.readers.set(tell, now);
      tell({ state: shared?.state ?? 'live' });
    };
  };
}
