import { type ReactNode, useId, useLayoutEffect, useRef } from 'react';

/** A position to ask for, from 1 to `max`. */
type Field = { label: string; max: number };
/** The failure of an attempt. `isOfField`: it is about the field. */
export type Refusal = { text: string; isOfField: boolean };

type Props = {
  title: string;
  /** The label of the button that confirms. */
  yes: string;
  isPossible: boolean;
  field?: Field | undefined;
  refusal?: Refusal | undefined;
  /** Gets the value of the field; 1 if there is none. */
  onYes: (value: number) => void;
  /** Called on Cancel or Escape. */
  onNo: () => void;
  children: ReactNode;
};

/** A modal dialog that asks for confirmation. Focus returns to where it was. */
export function Question({ title, yes, isPossible, field, refusal, onYes, onNo, children }: Props) {
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
    <dialog className="question card" ref={dialog} aria-labelledby={id} onClose={() => dialog.current?.open || onNo()}>
      <form
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          if (isPossible) onYes(Number(new FormData(event.currentTarget).get('value') ?? 1));
        }}
      >
        <h2 id={id}>{title}</h2>
        {children}
        {field && (
          <div className="question-field">
            <label htmlFor={`${id}field`}>{field.label}</label>
            <input
              id={`${id}field`}
              name="value"
              type="number"
              inputMode="numeric"
              min={1}
              max={field.max}
              defaultValue={1}
              aria-invalid={refusal?.isOfField === true}
              aria-describedby={`${id}rule ${id}failure`}
            />
            <span id={`${id}rule`}>1 to {field.max.toLocaleString()}</span>
          </div>
        )}
        <p className="error" role="alert" id={`${id}failure`}>
          {refusal?.text}
        </p>
        {/* Cancel comes first: it gets the focus if there is no field. */}
        <div className="question-foot">
          <button type="button" onClick={onNo}>
            Cancel
          </button>
          <button type="submit" className="primary" aria-disabled={!isPossible}>
            {yes}
          </button>
        </div>
      </form>
    </dialog>
  );
}
