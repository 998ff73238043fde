// Gives the components of the System page access to its store.

import { createContext, use, useSyncExternalStore } from 'react';
import type { SystemState, SystemStore } from './system-store.ts';

export const SystemContext = createContext<SystemStore | undefined>(undefined);

export function useSystemStore(): SystemStore {
  const store = use(SystemContext);
  if (!store) throw new Error('useSystemStore needs a SystemContext around it');
  return store;
}

export const useSystemState = (): SystemState => useSystem((state) => state);

/** A part of the state. The component is rendered again only when this part changes. */
export function useSystem<Part>(select: (state: SystemState) => Part): Part {
  const store = useSystemStore();
  return useSyncExternalStore(store.subscribe, () => select(store.getState()));
}
