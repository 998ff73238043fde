import { useEffect, useState, useSyncExternalStore } from 'react';
import { noteOf, onNotes } from '../../api/journey-notes.ts';
import { createPoll } from '../../api/poll.ts';
import { type LogEntry, readLogAfter } from '../../api/system.ts';
import { mainEvents, type Reached } from './journey-of.ts';
import { isEverywhere, NOBODY, readReached } from './reached.ts';
import { useSystemStore } from './system-context.ts';
import type { SystemStore } from './system-store.ts';

/** A comment has three events. Somebody's services may write many more: these are the first. */
const MOST = 50;
/** Before it is known who is to get events, while something is missing, and when all is there. In milliseconds. */
const SOON_MS = 200;
const READ_EVERY_MS = 1_000;
const LOOK_EVERY_MS = 30_000;

type Known = {
  /** The events about the comment, in the order of the log; undefined until they were read. */
  entries: readonly LogEntry[] | undefined;
  reached: ReadonlyMap<number, Reached>;
  /** The last reading came to nothing: this is how it was. */
  failed: boolean;
};

const UNKNOWN: Known = { entries: undefined, reached: new Map(), failed: false };

/** What the log, the bus and this page know of a comment: read again until the whole way is known, and when more comes. */
export function useJourney(comment: string) {
  const store = useSystemStore();
  const [known, setKnown] = useState(UNKNOWN);
  const note = useSyncExternalStore(onNotes, () => noteOf(comment));
  useEffect(() => follow(store, comment, setKnown), [store, comment]);
  return { ...known, note };
}

function follow(store: SystemStore, comment: string, onKnown: (known: Known) => void): () => void {
  let known = UNKNOWN;
  let over = false;
  const tell = (change: Partial<Known>) => {
    if (over) return;
    known = { ...known, ...change };
    onKnown(known);
  };

  async function read(): Promise<boolean> {
    const { entries } = await readLogAfter({ subject: comment }, MOST, 0);
    tell({ entries });
    let isWhole = true;
    const { created, moderated, updated } = mainEvents(entries);
    for (const entry of [created, moderated, updated]) {
      const { subscriptions } = store.getState();
      if (!entry) isWhole = false;
      else if (!isEverywhere(known.reached.get(entry.position) ?? NOBODY, subscriptions)) {
        const reached = await readReached(entry.position, subscriptions);
        tell({ reached: new Map(known.reached).set(entry.position, reached) });
        isWhole &&= isEverywhere(reached, subscriptions);
      }
    }
    return isWhole;
  }

  const poll = createPoll(async () => {
    try {
      const isWhole = await read();
      tell({ failed: false });
      if (store.getState().subscriptions.length === 0) return SOON_MS;
      return isWhole ? LOOK_EVERY_MS : READ_EVERY_MS;
    } catch {
      tell({ failed: true });
      return READ_EVERY_MS;
    }
  });
  const ignore = store.onEvents((entries) => {
    if (entries.some(({ subject }) => subject === comment)) poll.soon(0);
  });
  tell({});
  poll.start();
  return () => {
    over = true;
    poll.stop();
    ignore();
  };
}
