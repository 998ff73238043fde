// The live state of the blog and the actions on it. Whatever arrives, by an answer or by the stream, is merged: the order
// does not matter.

import { announce } from '../shared/announce.ts';
import { backoffMs } from '../shared/backoff.ts';
import { createBatch } from '../shared/batch.ts';
import { RequestError } from '../shared/http.ts';
import { noteShown } from '../shared/journey-notes.ts';
import { createListeners } from '../shared/listeners.ts';
import { openLiveStream } from '../shared/live-stream.ts';
import { hasSignIn } from '../shared/sign-in.ts';
import type { StreamState } from '../shared/source.ts';
import * as feeds from './feed.ts';
import { postOf } from './fields.ts';
import { loadOwn, type Own, saveOwn, settleOwn } from './own.ts';
import { parseMessage, publish, readPost, readPosts } from './requests.ts';
import { createSubmissions } from './submissions.ts';
import type { Message } from './types.ts';

/** The interval of batches: at most ten renders per second, however many changes arrive. */
const APPLY_EVERY_MS = 100;
/** A request is given up after 15 s, so an answer may be this much older than the stream, or than another answer. */
const RECENT_MS = 20_000;
/** The polling interval for a read model without a stream position in its list. */
const READ_EVERY_MS = 2_000;
const REFRESH_EVERY_MS = 1_000;
const SEEK_AFTER_MS = 3_000;
const SEEK_AT_MOST_EVERY_MS = 30_000;

export type FeedState = {
  feed: feeds.Feed;
  own: readonly Own[];
  /** `ready` once the first list was read. */
  phase: 'loading' | 'failed' | 'ready';
  connection: StreamState;
  /** Counts the changes that came from outside, as opposed to those that the reader asked for. */
  arrivals: number;
};

export type FeedStore = ReturnType<typeof createFeedStore>;

const signedIn = async (signal: AbortSignal) => (await import('../sign-in/session.ts')).signedIn(signal);

/** Creates the blog's state. */
export function createFeedStore() {
  const own = loadOwn();
  let state: FeedState = { feed: feeds.emptyFeed, own, phase: 'loading', connection: 'connecting', arrivals: 0 };
  const { notify, subscribe } = createListeners();
  const ownIds = new Set(own.map(({ id }) => id));
  /** Messages of the last seconds, and all since the first of the `reads` under way was asked for. */
  let recent: { at: number; message: Message }[] = [];
  let reads = 0;
  let isOn = false;
  let closeStream: (() => void) | undefined;
  /** Incremented when the stream ends and when it begins: changes between a read and its begin do not come by it. */
  let run = 0;
  /** Posts with unknown changes, to be read again. */
  const stale = new Set<string>();
  let isRefreshing = false;
  let starting: ReturnType<typeof setTimeout> | undefined;
  let seeking: ReturnType<typeof setTimeout> | undefined;

  const isOwn = (id: string) => ownIds.has(id);
  const commentsOf = (id: string) => state.feed.entries.get(id)?.comments ?? [];

  function set(change: Partial<FeedState>) {
    const next = { ...state, ...change };
    const { own, news } = settleOwn(next.own, next.feed);
    if (own !== state.own) saveOwn(own);
    state = { ...next, own };
    for (const text of news) announce(text);
    notify();
  }

  /** The feed with the recent messages on top: those of some posts, or all. */
  function withRecent(feed: feeds.Feed, ids?: ReadonlySet<string>): feeds.Feed {
    const messages = recent.map(({ message }) => message).filter(({ post }) => ids?.has(post.id) ?? true);
    return feeds.withMessages(feed, messages, isOwn);
  }

  const arrived = createBatch<Message>(APPLY_EVERY_MS, (messages) => {
    const at = performance.now();
    if (reads === 0) recent = recent.filter((one) => at - one.at < RECENT_MS);
    recent.push(...messages.map((message) => ({ at, message })));
    const feed = withRecent(state.feed, new Set(messages.map(({ post }) => post.id)));
    if (feed !== state.feed) set({ feed, arrivals: state.arrivals + 1 });
    const streamed = messages.filter((message) => !('hasNext' in message)).flatMap(({ comments }) => comments);
    for (const { id, status } of streamed) if (status !== 'pending') noteShown(id);
    void refresh(messages.flatMap(({ post, more }) => (more ? post.id : [])));
  });

  /** Merges an answer that the reader asked for. One that a restart of the stream has overtaken is asked for again. */
  async function load<T>(ask: () => Promise<T>, merged: (answer: T) => feeds.Feed): Promise<void> {
    reads += 1;
    try {
      for (;;) {
        const mine = run;
        const answer = await ask();
        if (mine === run || !closeStream) return set({ feed: withRecent(merged(answer)) });
      }
    } finally {
      reads -= 1;
    }
  }

  /** Reads the list and follows the stream from there; retries until it succeeds. */
  async function follow(attempt = 0): Promise<void> {
    end();
    let mine = run;
    const isFirst = state.phase !== 'ready';
    try {
      const list = await readPosts();
      if (mine !== run) return;
      mine = ++run;
      const { feed, arrivals } = state;
      const { position } = list;
      const merged = isFirst ? feeds.fromList(list, feed) : feeds.withReread(feed, list, isOwn);
      set({ feed: withRecent(merged), phase: 'ready', arrivals: arrivals + (isFirst ? 0 : 1) });
      void refresh(feeds.uncovered(feed, list));
      if (position !== undefined) {
        closeStream = openLiveStream({ path: '/stream', position, onMessage, onReset: follow, onState });
        return;
      }
      // A read model without a stream, such as the classic one, is polled.
      onState('live');
      starting = setTimeout(follow, READ_EVERY_MS);
    } catch (error) {
      if (mine !== run) return;
      if (isFirst) set({ phase: 'failed' });
      else onState('lost');
      const asked = error instanceof RequestError ? error.retryAfterMs : undefined;
      starting = setTimeout(follow, Math.max(backoffMs(attempt), asked ?? 0), attempt + 1);
    }
  }

  function end() {
    run += 1;
    clearTimeout(starting);
    closeStream?.();
    closeStream = undefined;
  }

  function onMessage(data: string) {
    const message = parseMessage(data);
    if (message) arrived.add(message);
  }

  function onState(connection: StreamState) {
    const known = state.connection;
    if (connection === known || (known === 'lost' && connection === 'connecting')) return;
    if (connection === 'lost') announce('Connection lost. Trying to reconnect.');
    if (known === 'lost') announce('Connected again.');
    set({ connection });
  }

  /** Reads posts again, one after another. One that cannot be read waits for the next round. */
  async function refresh(ids: readonly string[] = []): Promise<void> {
    for (const id of ids) stale.add(id);
    if (isRefreshing) return;
    isRefreshing = true;
    while (stale.size > 0 && isOn) {
      for (const id of [...stale]) {
        stale.delete(id);
        const isDone = await readAgain(id).then(() => true, isMissing);
        if (!isDone) stale.add(id);
        if (!isDone || !isOn) break;
      }
      await new Promise((done) => setTimeout(done, REFRESH_EVERY_MS));
    }
    isRefreshing = false;
  }

  /** Reads a post from its first comment on, until all that are shown and all own ones were read. */
  async function readAgain(id: string): Promise<void> {
    const missing = new Set(state.own.filter((own) => own.postId === id && !own.arrived).map((own) => own.id));
    missing.delete(id);
    let cursor: string | undefined;
    for (let count = 0; count === 0 || missing.size > 0 || count < commentsOf(id).length; ) {
      const page = await readPost(id, cursor);
      arrived.add(page);
      for (const comment of page.comments) missing.delete(comment.id);
      count += page.comments.length;
      const last = page.comments.at(-1)?.id;
      // A foreign read model may not know the cursor, and answer with the same page for ever.
      if (!page.hasNext || last === cursor) return;
      cursor = last;
    }
  }

  /**
   * Reads the posts of own items that do not arrive, with exponential backoff: a comment may lie after ones not loaded,
   * or have come before the stream began.
   */
  function seek(wait = SEEK_AFTER_MS): void {
    clearTimeout(seeking);
    const missing = () => state.own.filter(({ arrived }) => !arrived).map(({ postId }) => postId);
    if (!isOn || missing().length === 0) return;
    seeking = setTimeout(() => {
      void refresh(missing());
      seek(Math.min(wait * 2, SEEK_AT_MOST_EVERY_MS));
    }, wait);
  }

  /** Sends an own item and keeps showing it until it arrives, which may be before its answer (optimistic update). */
  const submissions = createSubmissions(
    async (form, texts, key, signal) => {
      const postId = postOf(form);
      const kind = postId === undefined ? 'post' : 'comment';
      const { id, ...answered } = await publish(postId, texts, key, signal);
      announce(`Your ${kind} is on its way.`);
      // Without an id it cannot be matched with an arriving item, so it is shown when it arrives.
      if (id === undefined) return;
      ownIds.add(id);
      const item: Own = { kind, id, postId: postId ?? id, texts, ...answered, sentAt: Date.now(), arrived: false };
      const own = [...state.own.filter((other) => other.id !== id), item];
      set({ own, feed: withRecent(feeds.withShown(state.feed, [id])) });
      seek();
    },
    hasSignIn() ? signedIn : undefined,
  );

  return {
    submissions,
    getState: () => state,
    subscribe,
    /** Reads the list and keeps it live until `stop`. Both may be called again. */
    start() {
      isOn = true;
      submissions.start();
      void follow();
      seek();
    },
    stop() {
      isOn = false;
      submissions.stop();
      clearTimeout(seeking);
      end();
    },
    /** Retries now instead of waiting for the next try. */
    retry() {
      if (state.phase === 'failed') set({ phase: 'loading' });
      void follow();
    },
    async showWaiting() {
      arrived.flush();
      if (state.feed.manyWaiting) await load(readPosts, (list) => feeds.fromList(list, state.feed));
      else set({ feed: feeds.withShown(state.feed, state.feed.waiting) });
    },
    async loadOlder() {
      const { oldest } = state.feed;
      await load(
        () => readPosts(oldest),
        // Meanwhile the list may have begun anew, and end elsewhere.
        (list) => (state.feed.oldest === oldest ? feeds.withOlder(state.feed, list) : state.feed),
      );
    },
    /** Reads the next comments of a post, or the post itself if it is unknown. Throws RequestError. */
    async loadComments(id: string) {
      const cursor = commentsOf(id).at(-1)?.id;
      const isNext = () => cursor === undefined || commentsOf(id).some((comment) => comment.id === cursor);
      await load(
        () => readPost(id, cursor),
        (page) => (isNext() ? feeds.withPost(state.feed, id, page) : state.feed),
      ).catch((error) => {
        // The reader waits for this post, so it does not wait for the reader once it arrives.
        if (isMissing(error)) ownIds.add(id);
        throw error;
      });
    },
  };
}

/** Posts are never deleted, so a read model without one is being rebuilt: it stays shown, and the stream will bring it. */
const isMissing = (error: unknown) => error instanceof RequestError && error.status === 404;
