import { useSyncExternalStore } from 'react';

const KEEP_MS = 10_000;

export type Announcer = ReturnType<typeof createAnnouncer>;

/** Queues texts for the live region. Each stays long enough to be read out, then goes. */
export function createAnnouncer() {
  let lines: readonly { id: number; text: string }[] = [];
  let count = 0;
  const listeners = new Set<() => void>();

  function set(next: typeof lines) {
    lines = next;
    for (const listener of listeners) listener();
  }

  return {
    announce(text: string) {
      count += 1;
      const id = count;
      set([...lines, { id, text }]);
      setTimeout(() => set(lines.filter((line) => line.id !== id)), KEEP_MS);
    },
    getLines: () => lines,
    subscribe(listener: () => void) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}

/**
 * The page's one live region (ARIA): the reader's submissions, their verdicts and the connection, never the posts of
 * others.
 */
export function LiveRegion({ announcer }: { announcer: Announcer }) {
  const lines = useSyncExternalStore(announcer.subscribe, announcer.getLines);
  return (
    <div role="status" aria-live="polite" aria-atomic="false" className="visually-hidden">
      {lines.map(({ id, text }) => (
        <p key={id}>{text}</p>
      ))}
    </div>
  );
}
