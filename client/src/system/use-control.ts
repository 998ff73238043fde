import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { RequestError } from '../shared/http.ts';
import { useSystemStore } from './system-context.ts';

/** The failure of a control action. `field`: it is about the dialog's field. */
export type Refusal = { text: string; field: boolean };

/** Runs control actions, one at a time. Refreshes the store afterwards and exposes a failure. */
export function useControl() {
  const store = useSystemStore();
  const client = useQueryClient();
  const [busy, setBusy] = useState(false);
  const [refusal, setRefusal] = useState<Refusal>();

  /** Resolves to true if the action succeeded. */
  async function run(action: () => Promise<unknown>): Promise<boolean> {
    if (busy) return false;
    setBusy(true);
    setRefusal(undefined);
    try {
      await action();
      return true;
    } catch (error) {
      setRefusal(refusalOf(error));
      return false;
    } finally {
      setBusy(false);
      store.refresh();
      void client.invalidateQueries();
    }
  }
  return { busy, refusal, run, forget: () => setRefusal(undefined) };
}

export const isGone = (error: unknown): boolean => error instanceof RequestError && error.status === 404;

function refusalOf(error: unknown): Refusal {
  const { status, message } = error instanceof RequestError ? error : new RequestError(String(error));
  if (status === undefined) return { text: 'No answer: it may or may not have been done.', field: false };
  if (status === 400) return { text: `The position ${sentence(message)}`, field: true };
  if (status === 404) return { text: 'Not done: the bus does not know it, or control is off.', field: false };
  return { text: message ? sentence(message) : `Not done: the answer was ${status}.`, field: false };
}

const sentence = (text: string) => (/[.!?]$/.test(text) ? text : `${text}.`);
