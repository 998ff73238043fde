import { useRef } from 'react';
import { useAction } from './use-action.ts';

type Props = {
  text: string;
  busyText?: string;
  load: () => Promise<void>;
  /** A selector within the section: the focusable elements of the list, one an item. */
  items: string;
};

/**
 * The row at the end of a list that loads more of it. The last page removes the row, so the focus moves to the first new
 * item.
 */
export function More({ text, busyText = 'Loading…', load, items }: Props) {
  const row = useRef<HTMLDivElement>(null);
  const { busy, failed, run } = useAction(async () => {
    const section = row.current?.closest('section');
    const targets = () => [...(section?.querySelectorAll<HTMLElement>(items) ?? [])];
    const before = targets().filter((item) => isBefore(item, row.current)).length;
    await load();
    requestAnimationFrame(() => targets()[before]?.focus());
  });
  return (
    <div className="more stack" ref={row}>
      <button type="button" onClick={run} aria-disabled={busy}>
        {busy ? busyText : text}
      </button>
      {failed && (
        <p className="error" role="alert">
          They could not be loaded. Try again.
        </p>
      )}
    </div>
  );
}

const isBefore = (item: Node, row: Node | null) =>
  row !== null && (row.compareDocumentPosition(item) & Node.DOCUMENT_POSITION_PRECEDING) > 0;
