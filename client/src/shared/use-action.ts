import { useState } from 'react';

/** Runs a button's action, one call at a time, and exposes its failure. */
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
