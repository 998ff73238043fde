// A window's view of a live stream, which all windows of a browser share.

import type { SourceOptions } from './source.ts';
import { createHub, type FromHub, type ToHub } from './stream-hub.ts';

/** The interval of heartbeats, in milliseconds. A worker that has not answered by the next one is dead. */
const HERE_EVERY_MS = 5_000;

/** Two copies of a read model may each reset what the other answered: then it is read anew at this interval at most. */
const RESET_EVERY_MS = 500;

/** The hub of a window without a shared worker: one stream at most, so that connections are left for requests. */
const ownHub = createHub(1);
let hasWorker = true;

/** Returns the function that sends messages to the hub; `leave` is the last. */
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

/**
 * Follows a stream while the window is visible, from the position of what was read. A message may come more than once. After a
 * reset messages may be missing: everything is read again. Returns the function that ends it.
 */
export function openLiveStream({ path, position, onMessage, onReset, onState }: SourceOptions): () => void {
  /** Sends to the hub; undefined while the window is away. */
  let say: ((message: ToHub) => void) | undefined;
  /** The number of messages heard since the window joined. */
  let heard = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const ending = new AbortController();
  const { signal } = ending;
  const openedAt = performance.now();

  function enter() {
    if (say || document.hidden) return;
    onState('connecting');
    heard = 0;
    timer = setTimeout(beat, HERE_EVERY_MS, heard);
    say = connect(hear, giveUp);
    say({ join: path, position });
  }

  function hear(message: FromHub) {
    heard += 1;
    if (message === 'reset') return reset();
    if (message.state) return onState(message.state);
    position = message.id || position;
    onMessage(message.data, message.id);
  }

  function beat(before: number) {
    if (heard === before) return giveUp();
    timer = setTimeout(beat, HERE_EVERY_MS, heard);
    say?.('here');
  }

  /** Replaces a worker that died with the window that had started it. One that never answered is not started again. */
  function giveUp() {
    hasWorker = heard > 0;
    reset();
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
    timer = setTimeout(onReset, openedAt + RESET_EVERY_MS - performance.now());
  }

  const onVisibility = () => (document.hidden ? leave() : enter());
  document.addEventListener('visibilitychange', onVisibility, { signal });
  // The page enters or leaves the back/forward cache.
  window.addEventListener('pagehide', leave, { signal });
  window.addEventListener('pageshow', onVisibility, { signal });
  enter();
  return close;
}
