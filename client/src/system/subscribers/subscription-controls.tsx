import { type MouseEvent, useState } from 'react';
import type { Subscription } from '../bus.ts';
import { control } from '../requests.ts';
import { useSystemStore } from '../system-context.ts';
import { useControl } from '../use-control.ts';
import { ReplayQuestion, SkipQuestion } from './subscription-questions.tsx';

type Props = { subscription: Subscription; away: boolean };

/** A subscription's buttons. All are always shown, so that none disappears while it has the focus. */
export function SubscriptionControls({ subscription, away }: Props) {
  const { name, state, lag } = subscription;
  const { announce } = useSystemStore();
  const [asking, setAsking] = useState<'skip' | 'replay'>();
  const { busy, refusal, run, forget } = useControl();

  function ask(question: typeof asking) {
    forget();
    setAsking(question);
  }
  async function skip() {
    if (!(await run(() => control(name, 'skip')))) return;
    announce(`The next event for ${name} is parked among the dead letters.`);
    setAsking(undefined);
  }
  async function replay(from: number) {
    if (!(await run(() => control(name, 'replay', from)))) return;
    announce(`${name} is replayed from position ${from}.`);
    setAsking(undefined);
  }

  const isPaused = state === 'paused';
  const buttons = [
    {
      label: isPaused ? 'Resume' : 'Pause',
      press: () => run(() => control(name, isPaused ? 'resume' : 'pause')),
      possible: true,
    },
    {
      label: 'Try now',
      press: () => run(() => control(name, 'resume')),
      possible: state === 'retrying' || state === 'diverged',
    },
    { label: 'Skip…', press: () => ask('skip'), possible: lag > 0 && state !== 'diverged' },
    { label: 'Replay…', press: () => ask('replay'), possible: true },
  ];
  const question = { subscription, busy, refusal, onNo: () => ask(undefined) };
  return (
    <div className="controls">
      <fieldset aria-label={`Control ${name}`} aria-describedby={away ? 'subscriptions-note' : undefined}>
        {buttons.map(({ label, press, possible }, i) => (
          <button
            // biome-ignore lint/suspicious/noArrayIndexKey: Pause and Resume are one button, which keeps the focus
            key={i}
            type="button"
            data-unavailable={away || !possible}
            aria-disabled={away || !possible || busy}
            onClick={(event) => !away && !busy && possible && isFirst(event) && press()}
          >
            {label}
            <span className="visually-hidden"> {name}</span>
          </button>
        ))}
      </fieldset>
      {refusal && !asking && (
        <p className="error" role="alert">
          {refusal.text}
        </p>
      )}
      {asking === 'skip' && <SkipQuestion {...question} onYes={skip} />}
      {asking === 'replay' && <ReplayQuestion {...question} onYes={replay} />}
    </div>
  );
}

/** Ignores the second click of a double click, because the button may have changed its meaning by then. */
const isFirst = ({ detail }: MouseEvent) => detail < 2;
