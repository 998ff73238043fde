import { useEffect, useState } from 'react';
import type { LogEntry } from '../bus.ts';
import type { Reached } from '../journey/journey-of.ts';
import { isEverywhere, readReached } from '../journey/reached.ts';
import { createPoll } from '../poll.ts';
import { readEvent } from '../requests.ts';
import { useSystemStore } from '../system-context.ts';

/** The polling interval in milliseconds until the event has reached every subscriber, and after a failure. */
const SOON_MS = 200;
const READ_EVERY_MS = 1_000;
const AGAIN_MS = 2_000;
/** The polling interval once it has: a replay delivers it again. */
const LOOK_EVERY_MS = 30_000;

type Known = {
  /** null: the log is shorter; undefined: not read yet. */
  entry: LogEntry | null | undefined;
  reached: Reached | undefined;
  failed: boolean;
};

const UNKNOWN: Known = { entry: undefined, reached: undefined, failed: false };

/** The event at a position and its deliveries, polled until every subscriber has it. */
export function useEvent(position: number): Known {
  const store = useSystemStore();
  const [known, setKnown] = useState(UNKNOWN);

  useEffect(() => {
    let entry: LogEntry | undefined;
    let over = false;
    const tell = (change: Partial<Known>) => over || setKnown((before) => ({ ...before, ...change }));
    const poll = createPoll(async () => {
      try {
        entry ??= await readEvent(position);
        tell({ entry: entry ?? null, failed: false });
        if (!entry) return READ_EVERY_MS;
        const { subscriptions } = store.getState();
        const reached = await readReached(position, subscriptions);
        tell({ reached, failed: false });
        if (subscriptions.length === 0) return SOON_MS;
        return isEverywhere(reached, subscriptions) ? LOOK_EVERY_MS : READ_EVERY_MS;
      } catch {
        tell({ failed: true });
        return AGAIN_MS;
      }
    });
    setKnown(UNKNOWN);
    poll.start();
    return () => {
      over = true;
      poll.stop();
    };
  }, [store, position]);
  return known;
}
