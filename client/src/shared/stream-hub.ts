// Shares streams between the windows of a browser.

import { openSource, type StreamState } from './source.ts';

/**
 * Messages from a window about one stream. `follow`: the position that it has read up to; `isFresh`: it read that after
 * `joined`.
 */
export type ToHub = { join: string } | { follow: string; isFresh: boolean } | 'here' | 'retry' | 'leave';
/** Messages to a window. `reset`: messages may be missing, so the window reads anew and joins again. */
export type FromHub = 'joined' | 'reset' | { state: StreamState } | { data: string; id: string };

/** The heartbeat timeout in milliseconds. A window that is silent for longer hangs, or is closed. */
const SILENT_MS = 30_000;
/** The polling interval in milliseconds of a window whose stream has no connection left. */
const READ_EVERY_MS = 5_000;

type Tell = (message: FromHub) => void;
/** `isBehind`: it joined an open stream, so whatever its read misses comes by the stream. */
type Reader = { tell: Tell; heardAt: number; isBehind: boolean };
type Shared = {
  readers: Set<Reader>;
  state: StreamState;
  /** Undefined until a reader has named a starting position. */
  source?: ReturnType<typeof openSource>;
  /** Everything up to this position was passed on. */
  position?: string;
};

/**
 * Opens each stream once, however many windows follow it, and at most `most` streams at a time. A window that hangs
 * delays no other, and one that may have missed a message is reset. Returns a function that connects a window: it takes
 * the window's listener, and returns the function for sending messages.
 */
export function createHub(most = Number.POSITIVE_INFINITY) {
  const streams = new Map<string, Shared>();

  function open(path: string, position: string, shared: Shared) {
    const tell: Tell = (message) => {
      for (const reader of shared.readers) reader.tell(message);
    };
    shared.position = position;
    shared.source = openSource({
      path,
      position,
      onMessage(data, id) {
        if (id) shared.position = id;
        tell({ data, id });
      },
      onReset() {
        streams.delete(path);
        tell('reset');
      },
      onState(state) {
        shared.state = state;
        tell({ state });
      },
    });
  }

  return function connect(tell: Tell): (message: ToHub) => void {
    const me: Reader = { tell, heardAt: 0, isBehind: false };
    let path = '';
    const joined = () => {
      const shared = streams.get(path);
      return shared?.readers.has(me) ? shared : undefined;
    };

    function hear(shared: Shared) {
      me.heardAt = performance.now();
      for (const reader of shared.readers) if (me.heardAt - reader.heardAt > SILENT_MS) shared.readers.delete(reader);
      tell({ state: shared.state });
    }

    function join() {
      const shared: Shared = streams.get(path) ?? { readers: new Set(), state: 'connecting' };
      streams.set(path, shared);
      me.isBehind = shared.source !== undefined;
      shared.readers.add(me);
      tell('joined');
      hear(shared);
    }

    function follow(shared: Shared, position: string, isFresh: boolean) {
      if (shared.source) {
        // Two windows that join at once may read different lists: the stream may have started after this one's
        // position.
        if (!(isFresh && me.isBehind) && position !== shared.position) tell('reset');
      } else if ([...streams.values()].filter(({ source }) => source).length < most) open(path, position, shared);
      else {
        tell({ state: 'live' });
        setTimeout(() => joined() && tell('reset'), READ_EVERY_MS);
      }
    }

    function leave(shared: Shared) {
      shared.readers.delete(me);
      if (shared.readers.size > 0) return;
      shared.source?.close();
      streams.delete(path);
    }

    return (message) => {
      if (typeof message === 'object' && 'join' in message) {
        path = message.join;
        return join();
      }
      const shared = joined();
      if (message === 'leave') return shared && leave(shared);
      if (!shared) tell('reset');
      else if (message === 'here') hear(shared);
      else if (message === 'retry') shared.source?.retry();
      else follow(shared, message.follow, message.isFresh);
    };
  };
}
