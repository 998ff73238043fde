import { useId, useState } from 'react';
import { Link } from 'wouter';
import { TimeStamp } from '../../blog/time-stamp.tsx';
import type { DeadLetter } from '../bus.ts';
import { Question } from '../question.tsx';
import { discard, redeliver } from '../requests.ts';
import { useSystemStore } from '../system-context.ts';
import { isGone, useControl } from '../use-control.ts';

type Props = { letter: DeadLetter; control: boolean; away: boolean; onGone: (id: string) => void };

/** A dead letter: the event, its subscription, the reason, and buttons to redeliver or discard it. */
export function DeadLetterItem({ letter, control, away, onGone }: Props) {
  const { id, subscription, position, reason, parkedAt, event } = letter;
  const heading = useId();
  return (
    <li className="letter" aria-labelledby={heading}>
      <h4 id={heading} tabIndex={-1}>
        {event.type} for {subscription}
      </h4>
      <p className="letter-meta">
        <Link href={`/system?event=${position}`}>Position {position.toLocaleString()}</Link>
        <TimeStamp value={parkedAt} />
      </p>
      <p className="letter-reason">{reason}</p>
      <details>
        <summary>The event</summary>
        <pre>{JSON.stringify(event, null, 2)}</pre>
      </details>
      {control && <LetterControls letter={letter} away={away} onGone={() => onGone(id)} />}
    </li>
  );
}

function LetterControls({ letter, away, onGone }: { letter: DeadLetter; away: boolean; onGone: () => void }) {
  const { id, subscription, position, event } = letter;
  const { announce } = useSystemStore();
  const [asking, setAsking] = useState(false);
  const { busy, refusal, run, forget } = useControl();
  const name = `${event.type} at position ${position} for ${subscription}`;

  /** Removes the letter from the list, also if it is gone already because another window settled it. */
  async function settle(action: Promise<void>, done: string) {
    const text = await action.then(
      () => done,
      (error) => {
        if (!isGone(error)) throw error;
        return 'It was already gone.';
      },
    );
    setAsking(false);
    announce(text);
    onGone();
  }
  const once = () => run(() => settle(redeliver(id), `${subscription} has taken the event at position ${position}.`));
  const forGood = () => run(() => settle(discard(id), `The dead letter at position ${position} is discarded.`));
  function ask(whether: boolean) {
    forget();
    setAsking(whether);
  }
  const failure = refusal && (
    <p className="error" role="alert">
      {refusal.text}
    </p>
  );
  return (
    <div className="controls">
      <fieldset aria-label={name}>
        <button type="button" data-unavailable={away} aria-disabled={away || busy} onClick={() => away || once()}>
          {busy && !asking ? 'Redelivering…' : 'Redeliver'}
          <span className="visually-hidden"> {name}</span>
        </button>
        <button
          type="button"
          data-unavailable={away}
          aria-disabled={away || busy}
          onClick={() => away || busy || ask(true)}
        >
          Discard…
          <span className="visually-hidden"> {name}</span>
        </button>
      </fieldset>
      {!asking && failure}
      {asking && (
        <Question
          title="Discard this dead letter?"
          yes={busy ? 'Discarding…' : 'Discard it'}
          busy={busy}
          failure={failure}
          onYes={forGood}
          onNo={() => ask(false)}
        >
          <p>
            {subscription} will not get the {event.type} at position {position.toLocaleString()}, unless its
            subscription passes that position again, as after a replay. The event stays in the log.
          </p>
        </Question>
      )}
    </div>
  );
}
