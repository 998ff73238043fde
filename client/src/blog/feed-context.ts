// Gives the components of the blog access to its store.

import { createContext, use, useSyncExternalStore } from 'react';
import type { FeedState, FeedStore } from './store.ts';

export const FeedContext = createContext<FeedStore | undefined>(undefined);

export function useFeedStore(): FeedStore {
  const store = use(FeedContext);
  if (!store) throw new Error('useFeedStore needs a FeedContext around it');
  return store;
}

export function useFeedState(): FeedState {
  const store = useFeedStore();
  return useSyncExternalStore(store.subscribe, store.getState);
}
