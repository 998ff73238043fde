import { useRef, useState } from 'react';

type Props = {
  text: string;
  busyText?: string;
  load: () => Promise<void>;
  /** A selector within the section: the focusable elements of the list, one an item. */
  items: string;
  primary?: boolean;
};

/**
 * The row before or after a list that loads more of it. The row may be gone afterwards, so the focus moves to the first new
 * item.
 */
export function More({ text, busyText = 'Loading…', load, items, primary }: Props) {
  const row = useRef<HTMLDivElement>(null);
  const [state, setState] = useState<'idle' | 'busy' | 'failed'>('idle');
  const busy = state === 'busy';

  async function run() {
    if (busy) return;
    const section = row.current?.closest('section');
    const targets = () => [...(section?.querySelectorAll<HTMLElement>(items) ?? [])];
    const before = targets().filter((item) => isBefore(item, row.current)).length;
    setState('busy');
    try {
      await load();
      setState('idle');
      requestAnimationFrame(() => targets()[before]?.focus());
    } catch {
      setState('failed');
    }
  }

  return (
    <div className="more stack" ref={row}>
      <button type="button" className={primary ? 'primary' : undefined} onClick={run} aria-disabled={busy}>
        {busy ? busyText : text}
      </button>
      {state === 'failed' && (
        <p className="error" role="alert">
          They could not be loaded. Try again.
        </p>
      )}
    </div>
  );
}

const isBefore = (item: Node, row: Node | null) =>
  row !== null && (row.compareDocumentPosition(item) & Node.DOCUMENT_POSITION_PRECEDING) > 0;
