import { useEffect, useState, useSyncExternalStore } from 'react';
import type { LogEntry } from '../../api/bus.ts';
import { noteOf, onNotes } from '../../api/journey-notes.ts';
import { createPoll } from '../../api/poll.ts';
import { readLogAfter } from '../../api/system.ts';
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

  /** Tells all at once what there is by now; resolves to whether that is the whole way. */
  async function read(): Promise<boolean> {
    const { entries } = await readLogAfter({ subject: comment }, MOST, 0);
    const reached = new Map(known.reached);
    const { subscriptions } = store.getState();
    const isEverywhereNow = ({ position }: LogEntry) => isEverywhere(reached.get(position) ?? NOBODY, subscriptions);
    const main = Object.values(mainEvents(entries)).filter((entry) => entry !== undefined);
    for (const entry of main) {
      if (!isEverywhereNow(entry)) reached.set(entry.position, await readReached(entry.position, subscriptions));
    }
    tell({ entries, reached, failed: false });
    return main.length === 3 && main.every(isEverywhereNow);
  }

  const poll = createPoll(async () => {
    try {
      const isWhole = await read();
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
