import { useInfiniteQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useId, useMemo, useRef } from 'react';
import { Link } from 'wouter';
import { announce } from '../../shared/announce.ts';
import { RequestError } from '../../shared/http.ts';
import { More } from '../../shared/more.tsx';
import type { DeadLetter } from '../bus.ts';
import { Controls } from '../controls.tsx';
import { ClockTime } from '../format.tsx';
import { discard, readDeadLetters, redeliver } from '../requests.ts';
import { useSystem } from '../system-context.ts';

const KEY = ['dead-letters'];
const EVERY_MS = 5_000;

/**
 * The dead letters, newest first. Read again every few seconds while they are visible, and at once after a control action
 * or a change of a subscription's state, because that is when events are parked.
 */
export function DeadLetters() {
  const bus = useSystem((state) => state.bus);
  const client = useQueryClient();
  const { data, isError, hasNextPage, fetchNextPage } = useInfiniteQuery({
    queryKey: KEY,
    queryFn: ({ pageParam, signal }) => readDeadLetters(pageParam, signal),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: ({ letters, hasNext }) => (hasNext ? letters.at(-1)?.id : undefined),
    refetchInterval: EVERY_MS,
    // A bus that is away would only answer with errors.
    enabled: bus === 'here',
  });
  const letters = useMemo(() => data?.pages.flatMap((page) => page.letters), [data]);
  useNews(letters);
  const states = useSystem(({ subscriptions }) => subscriptions.map(({ name, state }) => name + state).join());
  // biome-ignore lint/correctness/useExhaustiveDependencies: when they change
  useEffect(() => void client.invalidateQueries({ queryKey: KEY }), [client, states]);

  const heading = useRef<HTMLHeadingElement>(null);
  const list = useRef<HTMLUListElement>(null);
  const headingOf = (index: number) => list.current?.children[index]?.querySelector<HTMLElement>('h4');
  /** Shows that a letter is gone, and moves the focus to the one that takes its place, unless the reader has moved it. */
  async function takeAway(id: string) {
    const index = letters?.findIndex((letter) => letter.id === id) ?? 0;
    await client.invalidateQueries({ queryKey: KEY });
    requestAnimationFrame(() => {
      if (document.activeElement !== document.body) return;
      (headingOf(index) ?? headingOf(index - 1) ?? heading.current)?.focus();
    });
  }

  const away = isError || bus === 'away';
  return (
    <section aria-labelledby="dead-letters" data-stale={away}>
      <h3 id="dead-letters" tabIndex={-1} ref={heading}>
        Dead letters{letters && ` (${letters.length.toLocaleString()}${hasNextPage ? ' or more' : ''})`}
      </h3>
      <p className={away ? 'waits' : 'quiet'}>{noteOf(letters?.length, away)}</p>
      <ul className="items stack" ref={list}>
        {letters?.map((letter) => (
          <Letter key={letter.id} letter={letter} onGone={takeAway} />
        ))}
      </ul>
      {hasNextPage && (
        <More
          text="Show older dead letters"
          load={() => fetchNextPage({ throwOnError: true }).then(() => undefined)}
          items=".letter h4"
        />
      )}
    </section>
  );
}

/** Announces letters that are new since the last reading. */
function useNews(letters: readonly DeadLetter[] | undefined) {
  const newest = useRef<number>(undefined);
  useEffect(() => {
    if (!letters) return;
    const since = newest.current;
    newest.current = Number(letters[0]?.id ?? since ?? 0);
    const parked = letters.filter(({ id }) => Number(id) > (since ?? newest.current ?? 0));
    const names = new Set(parked.map(({ subscription }) => subscription));
    if (names.size > 0) announce(`An event was parked: ${[...names].join(', ')}.`);
  }, [letters]);
}

type Props = { letter: DeadLetter; onGone: (id: string) => Promise<void> };

/** A dead letter: the event, its subscription, the reason, and buttons to redeliver or discard it. */
function Letter({ letter: { id, subscription, position, reason, parkedAt, event }, onGone }: Props) {
  const heading = useId();

  /** Removes the letter from the list, also if it is gone already because another window settled it. */
  async function settle(action: Promise<unknown>, done: string) {
    const text = await action.then(
      () => done,
      (error) => {
        if (!(error instanceof RequestError && error.status === 404)) throw error;
        return 'It was already gone.';
      },
    );
    announce(text);
    await onGone(id);
  }
  const actions = [
    {
      label: 'Redeliver',
      busyLabel: 'Redelivering…',
      run: () => settle(redeliver(id), `${subscription} has taken the event at position ${position}.`),
    },
    {
      label: 'Discard…',
      busyLabel: 'Discarding…',
      question: {
        title: 'Discard this dead letter?',
        yes: 'Discard it',
        text: (
          <p>
            {subscription} will not get the {event.type} at position {position.toLocaleString()}, unless its
            subscription passes that position again, as after a replay. The event stays in the log.
          </p>
        ),
      },
      run: () => settle(discard(id), `The dead letter at position ${position} is discarded.`),
    },
  ];
  return (
    <li className="letter split card" aria-labelledby={heading}>
      <div>
        <h4 id={heading} tabIndex={-1}>
          {event.type} for {subscription}
        </h4>
        <p>
          <Link href={`/system?event=${position}`}>Position {position.toLocaleString()}</Link>, parked{' '}
          <ClockTime value={parkedAt} />
        </p>
        <p>{reason}</p>
        <details>
          <summary>The event</summary>
          <pre>{JSON.stringify(event, null, 2)}</pre>
        </details>
      </div>
      <Controls name={`${event.type} at position ${position} for ${subscription}`} actions={actions} />
    </li>
  );
}

function noteOf(count: number | undefined, away: boolean): string {
  if (away)
    return count === undefined
      ? 'They cannot be loaded at the moment.'
      : 'These are the last known ones. Nothing can be done until the bus is back.';
  if (count === undefined) return 'Reading them…';
  return count === 0
    ? 'None. An event that its subscriber refuses five times, or that is skipped by hand, is parked here.'
    : 'Parked, so that they do not block the events after them. A redelivered event arrives out of order.';
}
