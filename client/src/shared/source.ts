// One Server-Sent Events connection that reconnects by itself.

import { backoffMs } from './backoff.ts';

/** Some proxies hold a stream back: a connection that does not open within this time is lost. */
const OPEN_WITHIN_MS = 10_000;
/** A connection that lived this long was stable, so the backoff starts anew after it. */
const STEADY_MS = 5_000;
/** The number of failures in a row after which the server is asked why. */
const ENOUGH_TRIES = 3;
/** The statuses of servers without such a route: Express, Go, Python. */
export const HAS_NO_SUCH = [404, 405, 501];

export type StreamState = 'connecting' | 'live' | 'lost';

export type SourceOptions = {
  path: string;
  position: string;
  /** `id` is the position after the message, if it is the last of its group. */
  onMessage: (data: string, id: string) => void;
  /** The server cannot continue from our position, or no stream can be opened. The source is closed by then. */
  onReset: () => void;
  onState: (state: StreamState) => void;
};

/** Positions have a number that grows: a list's `<database>-<revision>`, and the log's `<position>-<checksum>`. */
const { compare } = new Intl.Collator('en', { numeric: true });

/**
 * Keeps one EventSource open, in a window or in a worker, and resumes after the last message seen. A browser's own
 * reconnection gives up for ever after one 503, so every attempt is a new EventSource.
 */
export function openSource({ path, position, onMessage, onReset, onState }: SourceOptions) {
  let source: EventSource | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let attempt = 0;
  const hasEventSource = 'EventSource' in globalThis;
  const ending = new AbortController();
  const { signal } = ending;

  function drop() {
    clearTimeout(timer);
    source?.close();
    source = undefined;
  }

  function open() {
    drop();
    timer = setTimeout(lost, hasEventSource ? OPEN_WITHIN_MS : 0);
    if (!hasEventSource) return;
    source = new EventSource(`${path}?after=${encodeURIComponent(position)}`);
    source.onopen = () => {
      onState('live');
      clearTimeout(timer);
      timer = setTimeout(() => {
        attempt = 0;
      }, STEADY_MS);
    };
    source.onmessage = ({ data, lastEventId }: MessageEvent<string>) => {
      // Only the last message of a group has an id line; before the first one this is empty.
      position = lastEventId || position;
      onMessage(data, lastEventId);
    };
    source.addEventListener('reset', reset);
    source.onerror = lost;
  }

  function lost() {
    drop();
    onState('lost');
    timer = setTimeout(open, backoffMs(attempt++));
    if (attempt >= ENOUGH_TRIES) void resetIfAnswered();
  }

  /**
   * An EventSource does not say why it failed. If the server answers, it is a foreign one without a stream, or something on
   * the way lets no stream through: then it is read anew, again and again.
   */
  async function resetIfAnswered() {
    const answer = await fetch(path, { method: 'HEAD', signal }).catch(() => undefined);
    if (answer?.ok || HAS_NO_SUCH.includes(answer?.status ?? 0)) reset();
  }

  function reset() {
    close();
    onReset();
  }

  function close() {
    drop();
    ending.abort();
  }

  addEventListener('online', open, { signal });
  addEventListener('offline', lost, { signal });
  open();
  return {
    close,
    reset,
    isBehind: (later: string) => compare(position, later) < 0,
    /** Brings again what follows an earlier position. A window that has just read reached the server: no backoff then. */
    goBackTo(earlier: string) {
      if (compare(earlier, position) < 0) position = earlier;
      else if (source) return;
      open();
    },
  };
}
