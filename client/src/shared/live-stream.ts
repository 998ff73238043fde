// A window's view of the live stream, which all windows of a browser share.

import type { StreamState } from './source.ts';
import { createHub, type FromHub, type ToHub } from './stream-hub.ts';

/**
 * The interval of heartbeats to the worker, in milliseconds. A worker that has not answered by the next one is taken as
 * dead.
 */
const HERE_EVERY_MS = 5_000;

/** The hub of a window without a shared worker: one stream at most, so that connections are left for requests. */
const ownHub = createHub(1);
let hasWorker = true;

function connect(hear: (message: FromHub) => void, onError: () => void): (message: ToHub) => void {
  try {
    if (!hasWorker) return ownHub(hear);
    const worker = new SharedWorker(new URL('./stream-worker.ts', import.meta.url), { type: 'module' });
    const { port } = worker;
    worker.onerror = onError;
    port.onmessage = ({ data }) => hear(data);
    return (message) => {
      port.postMessage(message);
      if (message === 'leave') port.close();
    };
  } catch {
    // Shared workers are not supported, or site data is blocked.
    return ownHub(hear);
  }
}

type Options = {
  path: string;
  onMessage: (data: string) => void;
  /** Messages may be missing: read everything again. The stream is closed by then. */
  onReset: () => void;
  onState: (state: StreamState) => void;
};

export type LiveStream = ReturnType<typeof openLiveStream>;

/**
 * Follows a stream while the window is visible, over a connection that all windows of the browser share. The order is
 * `joined`, then a read, then `follow` from its position: messages that arrive in between are held and handed over
 * then, so none is missed.
 */
export function openLiveStream({ path, onMessage, onReset, onState }: Options) {
  let say: ((message: ToHub) => void) | undefined;
  /** The position up to which everything is known. Undefined until the first read; messages are held until then. */
  let position: string | undefined;
  const held: string[] = [];
  /**
   * Counts this window's joins, so that answers to an earlier one are ignored. A window opened hidden reads before it
   * joins.
   */
  let run = 0;
  let readSince: number | undefined;
  let isHeard = false;
  let wasHeard = false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const ending = new AbortController();
  const joined = Promise.withResolvers<void>();

  function enter() {
    if (say || ending.signal.aborted) return;
    if (document.hidden) return beginReading();
    onState('connecting');
    run += 1;
    const mine = run;
    isHeard = false;
    wasHeard = false;
    const whileJoined = (act: () => void) => mine === run && say && act();
    say = connect(
      (message) => whileJoined(() => hear(message)),
      () => whileJoined(giveUp),
    );
    timer = setTimeout(tellHere, HERE_EVERY_MS);
    say({ join: path });
  }

  function beginReading() {
    readSince ??= run;
    joined.resolve();
  }

  function tellHere() {
    if (!isHeard) return giveUp();
    isHeard = false;
    timer = setTimeout(tellHere, HERE_EVERY_MS);
    say?.('here');
  }

  /** Replaces a worker that died with the window that had started it. One that never answered is not started again. */
  function giveUp() {
    hasWorker = wasHeard;
    reset();
  }

  function hear(message: FromHub) {
    isHeard = true;
    wasHeard = true;
    if (message === 'reset') reset();
    else if (message === 'joined') {
      if (position !== undefined) say?.({ follow: position, isFresh: false });
      beginReading();
    } else if ('state' in message) onState(message.state);
    else if (position === undefined) held.push(message.data);
    else {
      if (message.id) position = message.id;
      onMessage(message.data);
    }
  }

  function leave() {
    clearTimeout(timer);
    say?.('leave');
    say = undefined;
  }

  function close() {
    leave();
    ending.abort();
  }

  function reset() {
    close();
    onReset();
  }

  const onVisibility = () => (document.hidden ? leave() : enter());
  document.addEventListener('visibilitychange', onVisibility, { signal: ending.signal });
  // The page enters or leaves the back/forward cache.
  window.addEventListener('pagehide', leave, { signal: ending.signal });
  window.addEventListener('pageshow', onVisibility, { signal: ending.signal });
  enter();

  return {
    joined: joined.promise,
    /** Hands over the held messages after this position, and then every new one. */
    follow(from: string) {
      position = from;
      say?.({ follow: from, isFresh: readSince === run });
      for (const data of held.splice(0)) onMessage(data);
    },
    /** Reconnects now instead of waiting for the next try. */
    retry: () => say?.('retry'),
    close,
  };
}
