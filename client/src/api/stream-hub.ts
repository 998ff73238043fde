import { openSource, type StreamState } from './source.ts';

/** Messages of a window about one stream. `follow`: the position it has read up to; `isFresh`: it did so after `joined`. */
export type ToHub = { join: string } | { follow: string; isFresh: boolean } | 'here' | 'retry' | 'leave';
/** Messages to a window. `reset`: something may have been missed, so it is to read anew and to join again. */
export type FromHub = 'joined' | 'reset' | { state: StreamState } | { data: string; id: string };

/** A window says every few seconds that it is here: one that is silent for so long hangs, or is gone. In milliseconds. */
const SILENT_MS = 30_000;
/** The interval, in milliseconds, at which a window with no connection left for its stream reads anew. */
const READ_EVERY_MS = 5_000;

type Tell = (message: FromHub) => void;
/** `isBehind`: it joined while the stream was open already, so that what it has not read then comes by the stream. */
type Reader = { tell: Tell; heardAt: number; isBehind: boolean };
type Shared = {
  readers: Set<Reader>;
  state: StreamState;
  /** Undefined until a reader has said from where on. */
  source?: ReturnType<typeof openSource>;
  /** All up to here was told. */
  position?: string;
};

/**
 * Reads streams for windows: each stream once, however many windows follow it, and at most so many streams at a time. A window
 * that hangs delays no other, and one that may have missed something is reset.
 * Returns a function that connects a window: it takes the window's listener, and returns the function to send messages with.
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
        // Two that join at once may read different lists: the stream may have begun behind what this one has read.
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
