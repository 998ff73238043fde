/** Throttle: collects items and hands them over as one batch, at most once per interval. */
export function createBatch<T>(everyMs: number, apply: (items: T[]) => void) {
  let items: T[] = [];
  let timer: ReturnType<typeof setTimeout> | undefined;

  function flush() {
    clearTimeout(timer);
    timer = undefined;
    const batch = items;
    items = [];
    if (batch.length > 0) apply(batch);
  }

  return {
    add(item: T) {
      items.push(item);
      timer ??= setTimeout(flush, everyMs);
    },
    flush,
    stop() {
      clearTimeout(timer);
      timer = undefined;
    },
  };
}
