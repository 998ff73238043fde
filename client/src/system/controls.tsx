// Buttons that control the bus.

import { useMutation, useQueryClient } from '@tanstack/react-query';
import { type ReactNode, useState } from 'react';
import { RequestError } from '../shared/http.ts';
import { Question, type Refusal } from './question.tsx';
import { useSystemStore } from './system-context.ts';
import './controls.css';

export type Action = {
  label: string;
  /** The label while it runs. */
  busyLabel?: string;
  isPossible?: boolean;
  /** Gets the value of the question's field. Throws RequestError. */
  run: (value: number) => Promise<unknown>;
  /** Asked first, for an action that cannot be undone. */
  question?: {
    title: string;
    yes: string;
    text: ReactNode;
    isPossible?: boolean;
    field?: { label: string; max: number };
  };
  onAsk?: () => void;
};

/** `name`: what the buttons are about, for screen readers. `noteId`: the text that says why nothing can be done. */
type Props = { name: string; away: boolean; noteId?: string; actions: Action[] };

/**
 * Buttons for actions, which run one at a time. All are always shown, so that none disappears while it has the focus.
 * After an action everything is read again, and a failure is shown.
 */
export function Controls({ name, away, noteId, actions }: Props) {
  const store = useSystemStore();
  const client = useQueryClient();
  const [asked, setAsked] = useState<number>();
  const { mutate, isPending, variables, error, reset } = useMutation({
    mutationFn: ({ action, value = 1 }: { action: Action; value?: number }) => action.run(value),
    onSuccess: () => setAsked(undefined),
    onSettled() {
      store.refresh();
      void client.invalidateQueries();
    },
  });
  const refusal = error ? refusalOf(error) : undefined;
  const action = actions[asked ?? -1];
  const question = action?.question;

  function ask(index: number | undefined) {
    // The failure of an action that is still running is shown even if its question was closed.
    if (!isPending) reset();
    setAsked(index);
  }
  function press(index: number) {
    const action = actions[index];
    action?.onAsk?.();
    if (action?.question) ask(index);
    else if (action) mutate({ action });
  }
  return (
    <div className="controls">
      <fieldset aria-label={`Control ${name}`} aria-describedby={away ? noteId : undefined}>
        {actions.map(({ label, busyLabel, isPossible = true }, index) => (
          <button
            // biome-ignore lint/suspicious/noArrayIndexKey: Pause and Resume are one button, which keeps the focus
            key={index}
            type="button"
            data-unavailable={away || !isPossible}
            aria-disabled={away || !isPossible || isPending}
            // The second click of a double click is ignored: the button may have changed its meaning by then.
            onClick={({ detail }) => !away && !isPending && isPossible && detail < 2 && press(index)}
          >
            {(isPending && !question && variables.action.label === label && busyLabel) || label}
            <span className="visually-hidden"> {name}</span>
          </button>
        ))}
      </fieldset>
      {refusal && !question && (
        <p className="error" role="alert">
          {refusal.text}
        </p>
      )}
      {action && question && (
        <Question
          title={question.title}
          yes={(isPending && action.busyLabel) || question.yes}
          isPossible={!isPending && question.isPossible !== false}
          field={question.field}
          refusal={refusal}
          onYes={(value) => mutate({ action, value })}
          onNo={() => ask(undefined)}
        >
          {question.text}
        </Question>
      )}
    </div>
  );
}

function refusalOf(error: Error): Refusal {
  const { status, message } = error instanceof RequestError ? error : new RequestError(String(error));
  const sentence = /[.!?]$/.test(message) ? message : `${message}.`;
  if (status === 400) return { text: `The position ${sentence}`, isOfField: true };
  const text = {
    none: 'No answer: it may or may not have been done. Look at the state before you try again.',
    404: 'Not done: the bus does not know it, or control is off.',
  }[status ?? 'none'];
  return { text: text ?? (message ? sentence : `Not done: the bus failed (${status}). Try again.`), isOfField: false };
}
