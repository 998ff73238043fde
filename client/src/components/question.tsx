import { type ReactNode, useId, useLayoutEffect, useRef } from 'react';
import './question.css';

type Props = {
  title: string;
  /** What the button says that does it. */
  yes: string;
  busy: boolean;
  /** Why it came to nothing when it was tried. */
  failure: ReactNode;
  onYes: () => void;
  /** The answer is no: by the button, or by Escape. */
  onNo: () => void;
  children: ReactNode;
};

/** Asks before something is done, over the rest of the page; afterwards the focus is where it was. */
export function Question({ title, yes, busy, failure, onYes, onNo, children }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  // Closed before it is taken away: only so it gives the focus back.
  useLayoutEffect(() => {
    const shown = dialog.current;
    shown?.showModal();
    return () => shown?.close();
  }, []);
  return (
    // It is open again by then where React's strict mode begins everything twice.
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
        {/* First what changes nothing: it has the focus when there is no field. */}
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
