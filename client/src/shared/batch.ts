/** A comment and its verdict, some 50 ms later, are shown without a delay. */
const BURST = 2;

/**
 * Token bucket: hands over the first items at once, and what follows in batches, one per interval. The interval is in
 * milliseconds.
 */
export function createBatch<T>(everyMs: number, apply: (items: T[]) => void) {
  const items: T[] = [];
  let tokens = BURST;

  function flush() {
    if (items.length === 0) return;
    if (tokens === BURST) setTimeout(refill, everyMs);
    tokens -= 1;
    apply(items.splice(0));
  }

  function refill() {
    tokens += 1;
    if (tokens < BURST) setTimeout(refill, everyMs);
    flush();
  }

  return {
    add(item: T) {
      items.push(item);
      if (tokens > 0) flush();
    },
    flush,
  };
}
