/** Throttle: the minimum time from the beginning of a turn to the next, however often one is requested. */
const APART_MS = 150;

/**
 * Polls while the tab is visible, one turn after another. A turn handles its own failures and resolves to the
 * milliseconds until the next; its signal is aborted by `stop`.
 */
export function createPoll(turn: (signal: AbortSignal) => Promise<number>) {
  let going: AbortController | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let due = Number.POSITIVE_INFINITY;
  let began = 0;
  let busy = false;

  async function take({ signal }: AbortController) {
    if (document.hidden) return;
    due = Number.POSITIVE_INFINITY;
    began = performance.now();
    busy = true;
    const wait = await turn(signal);
    if (signal.aborted) return;
    busy = false;
    soon(wait);
  }

  /** Schedules the next turn after this many milliseconds, unless it is due earlier. */
  function soon(ms: number) {
    due = Math.min(due, performance.now() + ms);
    clearTimeout(timer);
    if (going && !busy) timer = setTimeout(take, Math.max(due, began + APART_MS) - performance.now(), going);
  }

  return {
    soon,
    start() {
      if (going) return;
      going = new AbortController();
      document.addEventListener('visibilitychange', () => soon(0), going);
      soon(0);
    },
    stop() {
      going?.abort();
      going = undefined;
      busy = false;
      clearTimeout(timer);
    },
  };
}
