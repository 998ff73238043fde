// Gives the components of the System page access to its store.

import { createContext, use, useSyncExternalStore } from 'react';
import type { SystemState, SystemStore } from './system-store.ts';

export const SystemContext = createContext<SystemStore | undefined>(undefined);

export function useSystemStore(): SystemStore {
  const store = use(SystemContext);
  if (!store) throw new Error('useSystemStore needs a SystemContext around it');
  return store;
}

export function useSystemState(): SystemState {
  const store = useSystemStore();
  return useSyncExternalStore(store.subscribe, store.getState);
}
