import { useEffect, useState, useSyncExternalStore } from 'react';
import { noteOf, onNotes } from '../../shared/journey-notes.ts';
import type { LogEntry } from '../bus.ts';
import { createPoll } from '../poll.ts';
import { readLogAfter } from '../requests.ts';
import { useSystemStore } from '../system-context.ts';
import type { SystemStore } from '../system-store.ts';
import { mainEvents, type Reached } from './journey-of.ts';
import { isEverywhere, NOBODY, readReached } from './reached.ts';

/** The number of events shown. A comment has three; foreign services may publish many more. */
const MOST = 50;
/** The polling interval in milliseconds while steps are missing, and after the last one. */
const SOON_MS = 200;
const READ_EVERY_MS = 1_000;
const LOOK_EVERY_MS = 30_000;

type Known = {
  /** The comment's events, in log order; undefined until they were read. */
  entries: readonly LogEntry[] | undefined;
  reached: ReadonlyMap<number, Reached>;
  /** The last read failed; the values are those of the read before. */
  failed: boolean;
};

const UNKNOWN: Known = { entries: undefined, reached: new Map(), failed: false };

/** The events, deliveries and notes of a comment, polled until its journey is complete. */
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

  /** Reads everything and publishes it at once; resolves to true if the journey is complete. */
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
