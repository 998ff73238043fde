import { backoffMs } from './backoff.ts';

/** A connection that lived this long was a good one: the next loss starts with a short wait again. */
const STEADY_MS = 5_000;

export type StreamState = 'connecting' | 'live' | 'lost';

export type LiveStream = {
  close: () => void;
  /** Opens at once what waits for its next try. */
  retry: () => void;
};

type Options = {
  /** The address to open, given the position to go on from. */
  address: (position: string) => string;
  position: string;
  onMessage: (data: string) => void;
  /** The server cannot go on from our position. The stream is closed by then. */
  onReset: () => void;
  onState: (state: StreamState) => void;
};

/**
 * Keeps one EventSource open while the tab is shown, each time behind the last message seen.
 * A browser's own reconnection gives up for ever after one 503, so every try is a new EventSource; and a hidden tab has
 * none, because a browser has only six connections to an origin.
 */
export function openLiveStream({ address, position, onMessage, onReset, onState }: Options): LiveStream {
  let source: EventSource | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let attempt = 0;

  function drop() {
    clearTimeout(timer);
    source?.close();
    source = undefined;
  }

  function open() {
    drop();
    if (document.hidden) return;
    source = new EventSource(address(position));
    source.onopen = () => {
      onState('live');
      timer = setTimeout(() => {
        attempt = 0;
      }, STEADY_MS);
    };
    source.onmessage = (event: MessageEvent<string>) => {
      // Without an id line the browser repeats the last one: the position moves only when a whole group has come.
      if (event.lastEventId) position = event.lastEventId;
      onMessage(event.data);
    };
    source.addEventListener('reset', () => {
      close();
      onReset();
    });
    source.onerror = lost;
  }

  function lost() {
    drop();
    onState('lost');
    timer = setTimeout(open, backoffMs(attempt++));
  }

  function onVisibility() {
    if (document.hidden) drop();
    else {
      onState('connecting');
      open();
    }
  }

  function close() {
    drop();
    document.removeEventListener('visibilitychange', onVisibility);
    window.removeEventListener('online', open);
    window.removeEventListener('offline', lost);
  }

  document.addEventListener('visibilitychange', onVisibility);
  window.addEventListener('online', open);
  window.addEventListener('offline', lost);
  onState('connecting');
  open();
  return {
    close,
    retry() {
      if (!source) open();
    },
  };
}
