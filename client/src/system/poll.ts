/** Throttle: the minimum time between two turns, however often one is requested. */
const APART_MS = 150;

export type Poll = ReturnType<typeof createPoll>;

/**
 * Polls while the tab is visible, one turn after another. A turn handles its own failures and resolves to the
 * milliseconds until the next.
 */
export function createPoll(turn: () => Promise<number>) {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let due = Number.POSITIVE_INFINITY;
  let began = Number.NEGATIVE_INFINITY;
  /** Incremented by `stop`, so that a turn in progress schedules no other. */
  let run = 0;
  let going = false;
  let busy = false;

  async function take() {
    due = Number.POSITIVE_INFINITY;
    if (document.hidden) return;
    const mine = run;
    began = performance.now();
    busy = true;
    const wait = await turn();
    if (mine !== run) return;
    busy = false;
    at(Math.min(due, performance.now() + wait));
  }

  function at(time: number) {
    due = time;
    if (busy) return;
    clearTimeout(timer);
    timer = setTimeout(() => void take(), Math.max(due, began + APART_MS) - performance.now());
  }

  function onVisibility() {
    if (!document.hidden) soon(0);
  }

  /** Schedules the next turn after this many milliseconds, unless it is due earlier. */
  function soon(ms: number) {
    const time = performance.now() + ms;
    if (going && time < due) at(time);
  }

  return {
    soon,
    start() {
      if (going) return;
      going = true;
      document.addEventListener('visibilitychange', onVisibility);
      soon(0);
    },
    stop() {
      going = false;
      busy = false;
      run += 1;
      due = Number.POSITIVE_INFINITY;
      clearTimeout(timer);
      document.removeEventListener('visibilitychange', onVisibility);
    },
  };
}
