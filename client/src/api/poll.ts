/** However often something asks for a turn soon, there is at least this much time between two. */
const APART_MS = 150;

export type Poll = ReturnType<typeof createPoll>;

/**
 * Takes one turn after another while the tab is shown; a turn resolves to the milliseconds until the next, and handles its
 * own failures.
 */
export function createPoll(turn: () => Promise<number>) {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let due = Number.POSITIVE_INFINITY;
  let began = Number.NEGATIVE_INFINITY;
  /** Grows when it is stopped, so that a turn under way by then starts no other. */
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

  /** Takes the next turn after so many milliseconds, if it is not sooner anyway. */
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
