import { useFeedStore } from './feed-context.ts';
import type { Own } from './own.ts';

/** The state of an own item between its 201 and its arrival in the read model. */
export function OnItsWay({ own }: { own: Own }) {
  const { dismiss } = useFeedStore();
  if (!own.late) return <span>On its way…</span>;
  return (
    <span>
      Stored, but it has not appeared yet. You need not send it again.{' '}
      <button type="button" className="link" onClick={() => dismiss(own.id)}>
        Hide
      </button>
    </span>
  );
}
