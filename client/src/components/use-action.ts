import { useState } from 'react';

/** Runs something that a button asks for: once at a time, and a failure is there to be shown. */
export function useAction(action: () => Promise<void>) {
  const [state, setState] = useState<'idle' | 'busy' | 'failed'>('idle');
  async function run() {
    if (state === 'busy') return;
    setState('busy');
    try {
      await action();
      setState('idle');
    } catch {
      setState('failed');
    }
  }
  return { busy: state === 'busy', failed: state === 'failed', run };
}
