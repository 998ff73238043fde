import type { StreamState } from '../api/source.ts';

const TEXTS = { connecting: 'Connecting…', live: 'Live', lost: 'Connection lost, reconnecting…' };

/** Whether the page is live. Not a live region itself: the announcer speaks of it. */
export function ConnectionStatus({ state }: { state: StreamState }) {
  return (
    <p className="connection" data-state={state}>
      {TEXTS[state]}
    </p>
  );
}
