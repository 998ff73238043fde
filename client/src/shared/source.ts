// One Server-Sent Events connection that reconnects by itself.

import { backoffMs } from './backoff.ts';

/** A connection that lived this long was stable, so the backoff starts anew after it. */
const STEADY_MS = 5_000;
/** The number of failures in a row after which the server is asked if it has a stream at all. */
const ENOUGH_TRIES = 3;
/** The statuses of servers without such a route: Express, Go, Python. */
export const HAS_NO_SUCH = [404, 405, 501];

export type StreamState = 'connecting' | 'live' | 'lost';

type Options = {
  path: string;
  position: string;
  /** `id` is the position after the message, if it is the last of its group. */
  onMessage: (data: string, id: string) => void;
  /** The server cannot continue from our position, or has no stream. The source is closed by then. */
  onReset: () => void;
  onState: (state: StreamState) => void;
};

/**
 * Keeps one EventSource open, in a window or in a worker, and resumes after the last message seen. A browser's own
 * reconnection gives up for ever after one 503, so every attempt is a new EventSource.
 */
export function openSource({ path, position, onMessage, onReset, onState }: Options) {
  let source: EventSource | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let attempt = 0;
  const ending = new AbortController();

  function drop() {
    clearTimeout(timer);
    source?.close();
    source = undefined;
  }

  function open() {
    drop();
    source = new EventSource(`${path}?after=${encodeURIComponent(position)}`);
    source.onopen = () => {
      onState('live');
      timer = setTimeout(() => {
        attempt = 0;
      }, STEADY_MS);
    };
    source.onmessage = ({ data, lastEventId }: MessageEvent<string>) => {
      // For a message without an id line the browser repeats the last id, so the position advances only after a
      // complete group.
      if (lastEventId) position = lastEventId;
      onMessage(data, lastEventId);
    };
    source.addEventListener('reset', reset);
    source.onerror = lost;
  }

  function lost() {
    drop();
    onState('lost');
    timer = setTimeout(open, backoffMs(attempt++));
    if (attempt >= ENOUGH_TRIES) void resetIfThereIsNone();
  }

  /** An EventSource does not say why it failed. A foreign service that was swapped in may have no stream. */
  async function resetIfThereIsNone() {
    try {
      const { status } = await fetch(path, { method: 'HEAD' });
      if (!ending.signal.aborted && HAS_NO_SUCH.includes(status)) reset();
    } catch {
      // The server is not reachable.
    }
  }

  function reset() {
    close();
    onReset();
  }

  function close() {
    drop();
    ending.abort();
  }

  addEventListener('online', open, { signal: ending.signal });
  addEventListener('offline', lost, { signal: ending.signal });
  open();
  return {
    close,
    /** Reconnects now instead of waiting for the next try. */
    retry() {
      if (!source) open();
    },
  };
}
