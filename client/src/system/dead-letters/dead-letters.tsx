import { useRef } from 'react';
import { useAction } from '../../shared/use-action.ts';
import { useSystemState } from '../system-context.ts';
import { DeadLetterItem } from './dead-letter-item.tsx';
import { useDeadLetters } from './use-dead-letters.ts';
import './dead-letters.css';

/** The dead letters, newest first. */
export function DeadLetters() {
  const { bus, control } = useSystemState();
  const { letters, hasNext, failed, more, gone } = useDeadLetters();
  const away = failed || bus === 'away';
  const heading = useRef<HTMLHeadingElement>(null);
  const list = useRef<HTMLUListElement>(null);
  const showMore = useAction(async () => {
    const count = letters?.length ?? 0;
    await more();
    requestAnimationFrame(() => headingOf(count)?.focus());
  });
  const headingOf = (index: number) => list.current?.children[index]?.querySelector<HTMLElement>('h4');

  /** Moves the focus to the letter that takes the removed one's place. */
  function takeAway(id: string) {
    const index = letters?.findIndex((letter) => letter.id === id) ?? 0;
    gone(id);
    requestAnimationFrame(() => {
      // The reader has moved the focus meanwhile.
      if (document.activeElement !== document.body) return;
      (headingOf(index) ?? headingOf(index - 1) ?? heading.current)?.focus();
    });
  }

  const count = letters && `${letters.length.toLocaleString()}${hasNext ? ' or more' : ''}`;
  return (
    <section className="dead-letters" aria-labelledby="dead-letters" data-stale={away}>
      <h3 id="dead-letters" tabIndex={-1} ref={heading}>
        Dead letters{count !== undefined && ` (${count})`}
      </h3>
      <p className="section-note">{noteOf(letters?.length, away)}</p>
      <ul ref={list}>
        {letters?.map((letter) => (
          <DeadLetterItem key={letter.id} letter={letter} control={control} away={away} onGone={takeAway} />
        ))}
      </ul>
      {hasNext && (
        <div className="more">
          <button type="button" onClick={showMore.run} aria-disabled={showMore.busy}>
            {showMore.busy ? 'Loading…' : 'Show older dead letters'}
          </button>
          {showMore.failed && (
            <p className="error" role="alert">
              They could not be loaded. Try again.
            </p>
          )}
        </div>
      )}
    </section>
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
