import { useInfiniteQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useMemo, useRef } from 'react';
import { readDeadLetters } from '../requests.ts';
import { useSystem, useSystemStore } from '../system-context.ts';

const KEY = ['dead-letters'];
const EVERY_MS = 5_000;

/**
 * The newest dead letters. Read again every few seconds while they are visible, and at once after a control action or a
 * change of a subscription's state, because that is when events are parked.
 */
export function useDeadLetters() {
  const { announce } = useSystemStore();
  const isHere = useSystem(({ bus }) => bus === 'here');
  const client = useQueryClient();
  const { data, isError, hasNextPage, fetchNextPage } = useInfiniteQuery({
    queryKey: KEY,
    queryFn: ({ pageParam, signal }) => readDeadLetters(pageParam, signal),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: ({ letters, hasNext }) => (hasNext ? letters.at(-1)?.id : undefined),
    // A bus that is away would only answer with errors.
    refetchInterval: EVERY_MS,
    enabled: isHere,
  });
  const letters = useMemo(() => data?.pages.flatMap((page) => page.letters), [data]);

  const states = useSystem(({ subscriptions }) => subscriptions.map(({ name, state }) => name + state).join());
  // biome-ignore lint/correctness/useExhaustiveDependencies: when they change
  useEffect(() => void client.invalidateQueries({ queryKey: KEY }), [client, states]);

  const newest = useRef<number>(undefined);
  useEffect(() => {
    if (!letters) return;
    const since = newest.current;
    newest.current = Number(letters[0]?.id ?? since ?? 0);
    const parked = letters.filter(({ id }) => Number(id) > (since ?? newest.current ?? 0));
    const names = new Set(parked.map(({ subscription }) => subscription));
    if (names.size > 0) announce(`An event was parked: ${[...names].join(', ')}.`);
  }, [announce, letters]);

  return {
    letters,
    hasNext: hasNextPage,
    /** The last read failed: the letters are those of the read before. */
    failed: isError,
    /** Loads one more page. */
    more: () => fetchNextPage({ throwOnError: true }).then(() => undefined),
    /** Reads them again. */
    refresh: () => client.invalidateQueries({ queryKey: KEY }),
  };
}
