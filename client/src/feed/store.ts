import { backoffMs } from '../api/backoff.ts';
import { type Created, readPost, readPosts } from '../api/blog.ts';
import { RequestError } from '../api/http.ts';
import { type LiveStream, openLiveStream, type StreamState } from '../api/live-stream.ts';
import type { Message } from '../api/types.ts';
import { createBatch } from './batch.ts';
import { type Entry, withFreshRead, withNextPage } from './entry.ts';
import {
  emptyFeed,
  type Feed,
  fromList,
  oldestShown,
  withEntry,
  withMessages,
  withOlder,
  withReread,
  withWaitingShown,
} from './feed.ts';
import { findOwn, readAtLeast } from './look-up.ts';
import { loadOwn, type Own, saveOwn, settleOwn, withLate } from './own.ts';

/** What arrives is applied at most this often: the page stays usable at a hundred changes a second. */
const APPLY_EVERY_MS = 100;
/** Pauses between reading stale posts again, between lists where there is no stream, and before an own item that did not come is looked for. */
const REFRESH_EVERY_MS = 1_000;
const READ_EVERY_MS = 2_000;
const SEEK_AFTER_MS = 3_000;
const SEEK_AT_MOST_EVERY_MS = 30_000;

export type FeedState = {
  feed: Feed;
  own: readonly Own[];
  /** Whether the first list has been read. */
  phase: 'loading' | 'failed' | 'ready';
  connection: StreamState;
  /** Grows with every change that came by itself, as against one that the reader asked for. */
  arrivals: number;
};

export type FeedStore = ReturnType<typeof createFeedStore>;
type Timer = ReturnType<typeof setTimeout>;

/**
 * The live state of the page. Reads and the stream run side by side, so whatever the stream brings while a read is
 * under way is applied once more on top of its answer: neither can lose what the other knows.
 */
export function createFeedStore(storage: Storage, announce: (text: string) => void) {
  const own = loadOwn(storage);
  let state: FeedState = { feed: emptyFeed, own, phase: 'loading', connection: 'connecting', arrivals: 0 };
  const listeners = new Set<() => void>();
  const ownIds = new Set(own.map(({ id }) => id));
  const isOwn = (id: string) => ownIds.has(id);

  /** Changes when the store is stopped: what was under way by then is ignored. */
  let run = 0;
  /** Grows whenever the list is read anew. */
  let syncs = 0;
  let stream: LiveStream | undefined;
  const readsUnderWay = new Set<Message[]>();
  const timers: { sync?: Timer; refresh?: Timer; seek?: Timer } = {};

  function set(change: Partial<FeedState>) {
    let next = { ...state, ...change };
    if (change.feed || change.own) {
      const { own, news } = settleOwn(next.own, next.feed);
      if (own !== state.own) saveOwn(storage, own);
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
    refreshLater(0);
  });

  function receive(message: Message) {
    arrived.add(message);
    for (const missed of readsUnderWay) missed.push(message);
  }

  /** Awaits an answer and merges it with what the stream brought meanwhile. `byItself`: the reader did not ask for it. */
  async function merging<T>(ask: () => Promise<T>, merge: (answer: T) => Feed, byItself = false): Promise<T> {
    const missed: Message[] = [];
    const mine = run;
    readsUnderWay.add(missed);
    try {
      const answer = await ask();
      if (mine === run) {
        set({ feed: withMessages(merge(answer), missed, isOwn), arrivals: state.arrivals + (byItself ? 1 : 0) });
        refreshLater(0);
      }
      return answer;
    } finally {
      readsUnderWay.delete(missed);
    }
  }

  /** A read that a new start of the stream overtook may miss what lies between the two: it is made again. */
  async function sinceSync<T>(read: () => Promise<T>): Promise<T> {
    for (;;) {
      const before = syncs;
      const answer = await read();
      if (before === syncs) return answer;
    }
  }

  /** Reads the list and follows the stream from there; tries until it succeeds. */
  async function sync(attempt = 0): Promise<void> {
    clearTimeout(timers.sync);
    stream?.close();
    syncs += 1;
    const mine = syncs;
    const first = state.phase !== 'ready';
    try {
      const { position } = await merging(
        () => readPosts(),
        (list) => (mine !== syncs ? state.feed : first ? fromList(list) : withReread(state.feed, list, isOwn)),
        !first,
      );
      if (mine !== syncs) return;
      set({ phase: 'ready' });
      if (position !== undefined) follow(position);
      else readAgainLater();
      seekLater(0);
    } catch (error) {
      if (mine !== syncs) return;
      set(first ? { phase: 'failed' } : { connection: 'lost' });
      const asked = error instanceof RequestError ? error.retryAfterMs : undefined;
      timers.sync = setTimeout(() => void sync(attempt + 1), Math.max(backoffMs(attempt), asked ?? 0));
    }
  }

  /** A read model without a stream, such as the classic one, does not say where its answer stands. */
  function readAgainLater() {
    set({ connection: 'live' });
    timers.sync = setTimeout(() => void sync(), READ_EVERY_MS);
  }

  function follow(position: string) {
    let lost = false;
    stream = openLiveStream({
      address: (after) => `/stream?${new URLSearchParams({ after })}`,
      position,
      onMessage: (data) => receive(JSON.parse(data)),
      onReset: () => void sync(),
      onState: (connection) => {
        if (connection === 'lost' && !lost) announce('Connection lost. Trying to reconnect.');
        if (connection === 'live' && lost) announce('Connected again.');
        if (connection !== 'connecting') lost = connection === 'lost';
        if (connection !== state.connection) set({ connection });
      },
    });
  }

  const stalePosts = () => [...state.feed.entries].filter(([, entry]) => entry.stale).map(([id]) => id);

  function refreshLater(wait: number) {
    if (timers.refresh !== undefined || stalePosts().length === 0) return;
    timers.refresh = setTimeout(async () => {
      const mine = run;
      for (const id of stalePosts()) if (mine === run) await refresh(id).catch(() => undefined);
      if (mine !== run) return;
      timers.refresh = undefined;
      refreshLater(REFRESH_EVERY_MS);
    }, wait);
  }

  /** Reads a post again of which more changed than we were told; one that fails stays stale for the next round. */
  async function refresh(id: string) {
    const loaded = state.feed.entries.get(id)?.comments.length ?? 0;
    try {
      await merging(
        () => sinceSync(() => readAtLeast(id, loaded)),
        (page) => changed(id, (entry) => withFreshRead(entry, page)),
        true,
      );
    } catch (error) {
      // A read model that was emptied no longer has the post; if it is being rebuilt, the stream brings it back.
      if (!(error instanceof RequestError) || error.status !== 404) throw error;
      set({ feed: withEntry(state.feed, id, undefined), arrivals: state.arrivals + 1 });
    }
  }

  function changed(id: string, change: (entry: Entry) => Entry): Feed {
    const entry = state.feed.entries.get(id);
    return entry ? withEntry(state.feed, id, change(entry)) : state.feed;
  }

  const lastComment = (id: string) => state.feed.entries.get(id)?.comments.at(-1)?.id;

  /** Own items may lie behind comments not loaded, or before the stream began: those that do not come are looked for. */
  function seekLater(waited: number) {
    clearTimeout(timers.seek);
    if (state.own.every((own) => own.arrived)) return;
    const wait = Math.min(Math.max(SEEK_AFTER_MS, waited * 2), SEEK_AT_MOST_EVERY_MS);
    const mine = run;
    timers.seek = setTimeout(async () => {
      const own = withLate(state.own, Date.now());
      if (own !== state.own) {
        announce('Something you sent is stored but has not appeared yet. You need not send it again.');
        set({ own });
      }
      for (const item of own.filter((item) => !item.arrived)) {
        const found = await findOwn(item, lastComment(item.postId)).catch(() => undefined);
        if (found) receive(found);
      }
      if (mine === run) seekLater(wait);
    }, wait);
  }

  function stop() {
    run += 1;
    syncs += 1;
    stream?.close();
    arrived.stop();
    for (const timer of Object.values(timers)) clearTimeout(timer);
    timers.refresh = undefined;
  }

  return {
    getState: () => state,
    subscribe(listener: () => void) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    /** Reads the list and keeps it live until `stop`; either may be called again. */
    start: () => void sync(),
    stop,
    /** Tries at once what would be tried later. */
    retry() {
      if (state.phase === 'failed') set({ phase: 'loading' });
      void sync();
    },
    async showWaiting() {
      arrived.flush();
      if (!state.feed.manyWaiting) return set({ feed: withWaitingShown(state.feed) });
      await merging(
        () => sinceSync(() => readPosts()),
        (list) => fromList(list, state.feed),
      );
    },
    async loadOlder() {
      const cursor = oldestShown(state.feed);
      await merging(
        () => sinceSync(() => readPosts(cursor)),
        (list) => withOlder(state.feed, list),
      );
    },
    async loadComments(id: string) {
      const cursor = lastComment(id);
      await merging(
        () => sinceSync(() => readPost(id, cursor)),
        (page) => changed(id, (entry) => withNextPage(entry, page)),
      );
    },
    /**
     * Sends something of the reader's own and keeps it in sight until it arrives. The stream may be faster than the
     * answer, so what it brings meanwhile is applied again once we know which id is ours.
     */
    async submit(what: Pick<Own, 'kind' | 'text'> & { postId?: string }, send: () => Promise<Created>) {
      await merging(send, ({ id, createdAt }) => {
        ownIds.add(id);
        const own = { postId: id, ...what, id, createdAt, sentAt: Date.now(), arrived: false, late: false };
        announce(`Your ${what.kind} is on its way.`);
        set({ own: [...state.own.filter((other) => other.id !== id), own] });
        return withWaitingShown(state.feed, id);
      });
      seekLater(0);
    },
    /** Stops showing an own item that did not come. */
    dismiss(id: string) {
      set({ own: state.own.filter((own) => own.id !== id) });
    },
  };
}
