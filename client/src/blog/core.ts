import { createBatch } from '../shared/batch.ts';
import { noteShown } from '../shared/journey-notes.ts';
import type { StreamState } from '../shared/source.ts';
import type { Entry } from './entry.ts';
import { emptyFeed, type Feed, withEntry, withMessages } from './feed.ts';
import { loadOwn, type Own, saveOwn, settleOwn } from './own.ts';
import type { Message } from './types.ts';

/** Throttle: changes are applied at most this often, so that the page stays usable at a hundred changes per second. */
const APPLY_EVERY_MS = 100;

export type FeedState = {
  feed: Feed;
  own: readonly Own[];
  /** `ready` once the first list was read. */
  phase: 'loading' | 'failed' | 'ready';
  connection: StreamState;
  /** Counts the changes that came from outside, as opposed to those that the reader asked for. */
  arrivals: number;
};

export type FeedCore = ReturnType<typeof createCore>;

/**
 * The feed's state and the one rule for changing it. Reads and the stream run concurrently: messages that arrive during
 * a read are applied again on top of its answer, so neither loses the other's changes.
 */
export function createCore(announce: (text: string) => void) {
  const own = loadOwn();
  let state: FeedState = { feed: emptyFeed, own, phase: 'loading', connection: 'connecting', arrivals: 0 };
  const listeners = new Set<() => void>();
  const ownIds = new Set(own.map(({ id }) => id));
  const awaited = new Set<Message[]>();
  /** Incremented by `stop`, so that answers to earlier requests are ignored. */
  let run = 0;

  const isOwn = (id: string) => ownIds.has(id);

  function set(change: Partial<FeedState>) {
    let next = { ...state, ...change };
    if (change.feed || change.own) {
      const { own, news } = settleOwn(next.own, next.feed);
      if (own !== state.own) saveOwn(own);
      next = { ...next, own };
      for (const text of news) announce(text);
    }
    state = next;
    for (const listener of listeners) listener();
  }

  const arrived = createBatch<Message>(APPLY_EVERY_MS, (messages) => {
    const feed = withMessages(state.feed, messages, isOwn);
    if (feed === state.feed) return;
    set({ feed, arrivals: state.arrivals + 1 });
    for (const { comments } of messages) for (const { id, status } of comments) if (status !== 'pending') noteShown(id);
  });

  return {
    getState: () => state,
    set,
    announce,
    isOwn,
    run: () => run,
    flush: arrived.flush,
    subscribe(listener: () => void) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    receive(message: Message) {
      arrived.add(message);
      for (const missed of awaited) missed.push(message);
    },
    /**
     * Awaits an answer and merges it with the messages that came meanwhile. `byItself`: the reader did not ask for it.
     */
    async merge<T>(ask: () => Promise<T>, merged: (answer: T) => Feed, byItself = false): Promise<T> {
      const missed: Message[] = [];
      const mine = run;
      awaited.add(missed);
      try {
        const answer = await ask();
        if (mine === run) {
          const feed = withMessages(merged(answer), missed, isOwn);
          set({ feed, arrivals: state.arrivals + (byItself ? 1 : 0) });
        }
        return answer;
      } finally {
        awaited.delete(missed);
      }
    },
    /** The feed with one post changed, if it is still present. */
    changed(id: string, change: (entry: Entry) => Entry): Feed {
      const entry = state.feed.entries.get(id);
      return entry ? withEntry(state.feed, id, change(entry)) : state.feed;
    },
    lastComment: (id: string) => state.feed.entries.get(id)?.comments.at(-1)?.id,
    /** Marks an item as the reader's own. */
    addOwn(own: Own) {
      ownIds.add(own.id);
      set({ own: [...state.own.filter((other) => other.id !== own.id), own] });
    },
    stop() {
      run += 1;
      arrived.stop();
    },
  };
}
