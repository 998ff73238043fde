import { useEffect, useMemo, useRef, useState } from 'react';
import type { DeadLetter } from '../bus.ts';
import { createPoll } from '../poll.ts';
import { readDeadLetters } from '../requests.ts';
import { useSystemState, useSystemStore } from '../system-context.ts';

const EVERY_MS = 5_000;

/** `undefined`: not read yet. `failed`: the last read failed, and the letters are those of the read before. */
type Shown = { letters: readonly DeadLetter[] | undefined; hasNext: boolean; failed: boolean };

/**
 * The newest dead letters. Read again every few seconds while they are visible, and at once after a control action or a
 * change of a subscription's state, because that is when events are parked.
 */
export function useDeadLetters() {
  const { announce } = useSystemStore();
  const { subscriptions, done } = useSystemState();
  const [shown, setShown] = useState<Shown>({ letters: undefined, hasNext: false, failed: false });
  const pages = useRef(1);
  const newest = useRef<number>(undefined);

  const { poll, read } = useMemo(() => {
    async function read() {
      const { letters, hasNext } = await readPages(pages.current);
      setShown({ letters, hasNext, failed: false });
      const since = newest.current;
      newest.current = Number(letters[0]?.id ?? since ?? 0);
      const parked = letters
        .filter(({ id }) => Number(id) > (since ?? newest.current ?? 0))
        .map((one) => one.subscription);
      if (parked.length > 0) announce(`An event was parked: ${[...new Set(parked)].join(', ')}.`);
    }
    async function turn() {
      await read().catch(() => setShown((before) => ({ ...before, failed: true })));
      return EVERY_MS;
    }
    return { poll: createPoll(turn), read };
  }, [announce]);

  useEffect(() => {
    poll.start();
    return poll.stop;
  }, [poll]);

  const states = subscriptions.map(({ name, state }) => `${name} is ${state}`).join();
  // biome-ignore lint/correctness/useExhaustiveDependencies: when they change
  useEffect(() => poll.soon(0), [poll, states, done]);

  return {
    ...shown,
    /** Loads one more page. */
    async more() {
      pages.current += 1;
      await read().catch((error) => {
        pages.current -= 1;
        throw error;
      });
    },
    /** Removes a letter from the list. */
    gone(id: string) {
      setShown((before) => ({ ...before, letters: before.letters?.filter((letter) => letter.id !== id) }));
    },
  };
}

async function readPages(count: number): Promise<{ letters: DeadLetter[]; hasNext: boolean }> {
  const letters: DeadLetter[] = [];
  for (let page = 1; ; page++) {
    const read = await readDeadLetters(letters.at(-1)?.id);
    letters.push(...read.letters);
    if (!read.hasNext || page === count) return { letters, hasNext: read.hasNext };
  }
}
