import { useState } from 'react';
import { announce } from '../../shared/announce.ts';
import type { Subscription } from '../bus.ts';
import { type Action, Controls } from '../controls.tsx';
import { control, forget } from '../requests.ts';

const EFFECTS = {
  checkpointed:
    'This is safe: it keeps a checkpoint, and its processing is idempotent, so what it has done is not done twice.',
  plain: 'It keeps no checkpoint: it cannot tell these events from new ones, and processes them again.',
  unknown: 'It is not known yet if it keeps a checkpoint. If it does not, it processes these events again.',
};

/** A subscription's buttons. */
export function SubscriptionControls({ subscription }: { subscription: Subscription }) {
  const { name, kind, state, lag, position } = subscription;
  const [askedAt, setAskedAt] = useState(position);
  const isPaused = state === 'paused';
  const isDiverged = state === 'diverged';
  const hasMovedOn = position !== askedAt;

  const actions: Action[] = [
    { label: isPaused ? 'Resume' : 'Pause', run: () => control(name, isPaused ? 'resume' : 'pause') },
    {
      label: 'Try now',
      isPossible: state === 'retrying' || isDiverged,
      run: () => control(name, 'resume'),
    },
    {
      label: 'Skip…',
      busyLabel: 'Skipping…',
      isPossible: lag > 0 && !isDiverged,
      onAsk: () => setAskedAt(position),
      question: {
        title: `Skip the next event for ${name}?`,
        yes: 'Skip it',
        isPossible: !hasMovedOn,
        text: hasMovedOn ? (
          <p role="status">
            Meanwhile {name} has advanced to position {position.toLocaleString()}: it is not stuck.
          </p>
        ) : (
          <p>
            The next event after position {position.toLocaleString()} is parked as a dead letter: {name} does not get
            it, and continues with the one after it. It can be redelivered from the dead letters, out of order.
          </p>
        ),
      },
      async run() {
        await control(name, 'skip');
        announce(`The next event for ${name} is parked among the dead letters.`);
      },
    },
    {
      label: 'Replay…',
      busyLabel: 'Replaying…',
      question: {
        title: `Replay ${name}?`,
        yes: 'Replay',
        max: isDiverged ? undefined : position + 1,
        text: (
          <p>
            {name} gets the log's events again,{' '}
            {isDiverged ? 'all of them, because it is diverged' : 'from a position on'}. {EFFECTS[kind]}
            {isPaused && ' It is paused: the replay waits until it is resumed.'}
          </p>
        ),
      },
      async run(from) {
        await control(name, 'replay', from);
        announce(`${name} is replayed from position ${from}.`);
      },
    },
  ];
  if (state === 'gone')
    actions.push({
      label: 'Forget…',
      busyLabel: 'Forgetting…',
      question: {
        title: `Forget ${name}?`,
        yes: 'Forget it',
        text: (
          <p>
            The bus deletes its position and its dead letters. If {name} comes back, it is a new subscription. Events in
            its own outbox that never reached the log are lost unless it comes back.
          </p>
        ),
      },
      async run() {
        await forget(name);
        announce(`${name} is forgotten.`);
      },
    });
  return <Controls name={name} actions={actions} />;
}
