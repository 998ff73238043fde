/** Listeners of one kind. `subscribe` returns the function that unsubscribes, as `useSyncExternalStore` wants it. */
export function createListeners<Args extends unknown[] = []>() {
  const listeners = new Set<(...args: Args) => void>();
  return {
    notify(...args: Args) {
      for (const listener of listeners) listener(...args);
    },
    subscribe(listener: (...args: Args) => void) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}
