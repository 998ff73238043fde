import { type ReactNode, useId, useLayoutEffect, useRef } from 'react';
import './question.css';

type Props = {
  title: string;
  /** The label of the button that confirms. */
  yes: string;
  busy: boolean;
  /** The message of a failed attempt. */
  failure: ReactNode;
  onYes: () => void;
  /** Called on Cancel or Escape. */
  onNo: () => void;
  children: ReactNode;
};

/** A modal dialog that asks for confirmation. Focus returns to where it was. */
export function Question({ title, yes, busy, failure, onYes, onNo, children }: Props) {
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
    <dialog className="question" ref={dialog} aria-labelledby={id} onClose={() => dialog.current?.open || onNo()}>
      <form
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          onYes();
        }}
      >
        <h2 id={id}>{title}</h2>
        {children}
        {failure}
        {/* Cancel comes first: it gets the focus if there is no field. */}
        <div className="question-foot">
          <button type="button" onClick={onNo}>
            Cancel
          </button>
          <button type="submit" className="primary" aria-disabled={busy}>
            {yes}
          </button>
        </div>
      </form>
    </dialog>
  );
}
