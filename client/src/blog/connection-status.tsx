import type { StreamState } from '../shared/source.ts';

const TEXTS = { connecting: 'Connecting…', live: 'Live', lost: 'Connection lost, reconnecting…' };

/** Shows if the page is live. Not a live region of its own: the announcer reports changes. */
export function ConnectionStatus({ state }: { state: StreamState }) {
  return (
    <p className="connection" data-state={state}>
      {TEXTS[state]}
    </p>
  );
}
