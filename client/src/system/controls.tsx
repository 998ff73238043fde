// Buttons that control the bus, and the dialog that asks before an action that cannot be undone.

import { useMutation, useQueryClient } from '@tanstack/react-query';
import { type ReactNode, useId, useLayoutEffect, useRef, useState } from 'react';
import { RequestError } from '../shared/http.ts';
import { sentence } from './format.tsx';
import { useSystem } from './system-context.ts';
import './controls.css';

export type Action = {
  label: string;
  /** The label while it runs. */
  busyLabel?: string;
  isPossible?: boolean;
  question?: Question;
  onAsk?: () => void;
  /** Gets the position that was asked for. Throws RequestError. */
  run: (position: number) => Promise<unknown>;
};

/** `max`: asks for a position too, from 1 to this one. */
type Question = { title: string; yes: string; text: ReactNode; isPossible?: boolean; max?: number | undefined };

/**
 * Buttons for actions, which run one at a time. All are always shown, so that none disappears while it has the focus.
 * After an action everything is read again, and a failure is shown. `name`: what they are about, for screen readers.
 */
export function Controls({ name, actions }: { name: string; actions: Action[] }) {
  const client = useQueryClient();
  const control = useSystem((state) => state.control);
  const away = useSystem(({ bus }) => bus === 'away');
  const [asked, setAsked] = useState<number>();
  const { mutate, isPending, variables, error, reset } = useMutation({
    mutationFn: ({ action, position = 1 }: { action: Action; position?: number }) => action.run(position),
    onSuccess: () => setAsked(undefined),
    onSettled: () => void client.invalidateQueries(),
  });
  const action = actions[asked ?? -1];

  function ask(index: number | undefined) {
    // The failure of an action that is still running is shown even if its question was closed.
    if (!isPending) reset();
    setAsked(index);
  }
  function press(action: Action, index: number) {
    action.onAsk?.();
    if (action.question) ask(index);
    else mutate({ action });
  }
  if (!control) return null;
  return (
    <div className="controls">
      <fieldset aria-label={`Control ${name}`} aria-describedby={away ? 'bus' : undefined}>
        {actions.map((action, index) => {
          const isOff = away || action.isPossible === false;
          const isRunning = isPending && asked === undefined && variables.action.label === action.label;
          return (
            <button
              // biome-ignore lint/suspicious/noArrayIndexKey: Pause and Resume are one button, which keeps the focus
              key={index}
              type="button"
              data-unavailable={isOff}
              aria-disabled={isOff || isPending}
              // The second click of a double click is ignored: the button may have changed its meaning by then.
              onClick={({ detail }) => !isOff && !isPending && detail < 2 && press(action, index)}
            >
              {(isRunning && action.busyLabel) || action.label}
              <span className="visually-hidden"> {name}</span>
            </button>
          );
        })}
      </fieldset>
      {action?.question ? (
        <Dialog
          {...action.question}
          yes={(isPending && action.busyLabel) || action.question.yes}
          isPossible={!isPending && action.question.isPossible !== false}
          error={error}
          onYes={(position) => mutate({ action, position })}
          onNo={() => ask(undefined)}
        />
      ) : (
        error && (
          <p className="error" role="alert">
            {failureText(error)}
          </p>
        )
      )}
    </div>
  );
}

/** `onNo` is called on Cancel or Escape. */
type DialogProps = Question & { error: Error | null; onYes: (position: number) => void; onNo: () => void };

/** A modal dialog. Focus returns to where it was. */
export function Dialog({ title, yes, text, isPossible, max, error, onYes, onNo }: DialogProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  // Closed before it is removed: only then does the browser restore the focus.
  useLayoutEffect(() => {
    const shown = dialog.current;
    shown?.showModal();
    return () => shown?.close();
  }, []);
  return (
    // In React's strict mode the effect runs twice, so the dialog is open again by the time of this event.
    <dialog className="card" ref={dialog} aria-labelledby={id} onClose={() => dialog.current?.open || onNo()}>
      <form
        className="text-form"
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          if (isPossible) onYes(Number(new FormData(event.currentTarget).get('position') ?? 1));
        }}
      >
        <h2 id={id}>{title}</h2>
        {text}
        {max !== undefined && (
          <>
            <label htmlFor={`${id}position`}>From position</label>
            <input
              id={`${id}position`}
              name="position"
              type="number"
              inputMode="numeric"
              min={1}
              max={max}
              defaultValue={1}
              aria-invalid={isOfPosition(error)}
              aria-describedby={`${id}rule ${id}failure`}
            />
            <small id={`${id}rule`}>1 to {max.toLocaleString()}</small>
          </>
        )}
        <p className="error" role="alert" id={`${id}failure`}>
          {error && failureText(error)}
        </p>
        {/* Cancel comes first: it gets the focus if there is no field. */}
        <p className="row dialog-buttons">
          <button type="button" onClick={onNo}>
            Cancel
          </button>
          <button type="submit" className="primary" aria-disabled={!isPossible}>
            {yes}
          </button>
        </p>
      </form>
    </dialog>
  );
}

const isOfPosition = (error: Error | null) => error instanceof RequestError && error.status === 400;

function failureText(error: Error): string {
  const status = error instanceof RequestError ? error.status : undefined;
  if (status === undefined)
    return 'No answer: it may or may not have been done. Look at the state before you try again.';
  if (status === 404) return 'Not done: the bus does not know it, or control is off.';
  if (isOfPosition(error)) return `The position ${sentence(error.message)}`;
  return error.message ? sentence(error.message) : `Not done: the bus failed (${status}). Try again.`;
}
