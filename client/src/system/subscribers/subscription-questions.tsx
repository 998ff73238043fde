// The dialogs that confirm a skip and a replay.

import { useId, useState } from 'react';
import type { Subscription } from '../bus.ts';
import { Question } from '../question.tsx';
import type { Refusal } from '../use-control.ts';

type Asked = { subscription: Subscription; busy: boolean; refusal: Refusal | undefined; onNo: () => void };

/** Asks before parking the event that blocks a subscription. */
export function SkipQuestion({ subscription, busy, refusal, onYes, onNo }: Asked & { onYes: () => void }) {
  const { name, position } = subscription;
  const [asked] = useState(position);
  const movedOn = position !== asked;
  return (
    <Question
      title={`Skip the next event for ${name}?`}
      yes={busy ? 'Skipping…' : 'Skip it'}
      busy={busy || movedOn}
      failure={<Failure refusal={refusal} />}
      onYes={() => !movedOn && onYes()}
      onNo={onNo}
    >
      {movedOn ? (
        <p role="status">
          Meanwhile {name} has advanced to position {position.toLocaleString()}: it is not stuck.
        </p>
      ) : (
        <p>
          The next event after position {position.toLocaleString()} is parked as a dead letter: {name} does not get it,
          and continues with the one after it. It can be redelivered from the dead letters, out of order.
        </p>
      )}
    </Question>
  );
}

const EFFECTS = {
  checkpointed:
    'This is safe: it keeps a checkpoint, and its processing is idempotent, so what it has done is not done twice.',
  plain: 'It keeps no checkpoint: it cannot tell these events from new ones, and processes them again.',
  unknown: 'It is not known yet if it keeps a checkpoint. If it does not, it processes these events again.',
};

/** Asks before a replay for its first position. */
export function ReplayQuestion({
  subscription,
  busy,
  refusal,
  onYes,
  onNo,
}: Asked & { onYes: (from: number) => void }) {
  const { name, kind, state, position } = subscription;
  const [from, setFrom] = useState('1');
  const id = useId();
  const onlyAll = state === 'diverged';
  return (
    <Question
      title={`Replay ${name}?`}
      yes={busy ? 'Replaying…' : 'Replay'}
      busy={busy}
      failure={<Failure refusal={refusal} id={`${id}-failure`} />}
      onYes={() => onYes(onlyAll ? 1 : Number.parseFloat(from))}
      onNo={onNo}
    >
      <p>
        {name} gets the log's events again, {onlyAll ? 'all of them, because it is diverged' : 'from a position on'}.{' '}
        {EFFECTS[kind]}
        {state === 'paused' && ' It is paused: the replay waits until it is resumed.'}
      </p>
      {!onlyAll && (
        <div className="replay-from">
          <label htmlFor={id}>From position</label>
          <input
            id={id}
            type="number"
            inputMode="numeric"
            min={1}
            max={position + 1}
            value={from}
            aria-invalid={refusal?.field === true}
            aria-describedby={`${id}-rule ${id}-failure`}
            onChange={(event) => setFrom(event.target.value)}
          />
          <span className="limit" id={`${id}-rule`}>
            1 to {(position + 1).toLocaleString()}
          </span>
        </div>
      )}
    </Question>
  );
}

function Failure({ refusal, id }: { refusal: Refusal | undefined; id?: string }) {
  return (
    <p className="error" role="alert" id={id}>
      {refusal?.text}
    </p>
  );
}
