// The page's posts, as pure functions.

import { createEntry, type Entry, type IsOwn, withFreshRead, withMessage } from './entry.ts';
import type { Message, PostList, PostPage } from './types.ts';

/** The maximum number of waiting posts kept; more are read on demand, so that a page left open does not grow. */
const MOST_WAITING = 100;

/** The posts that the page knows. Immutable. */
export type Feed = {
  readonly entries: ReadonlyMap<string, Entry>;
  /** Ids of the posts shown, newest first. */
  readonly shown: readonly string[];
  /** Ids of newer posts that wait until the reader asks for them. */
  readonly waiting: readonly string[];
  /** More posts wait than are kept. */
  readonly manyWaiting: boolean;
  /** Older posts can be loaded. */
  readonly hasOlder: boolean;
};

export const emptyFeed: Feed = {
  entries: new Map(),
  shown: [],
  waiting: [],
  manyWaiting: false,
  hasOlder: false,
};

/** The feed from an answer of the list; known verdicts are kept. */
export function fromList(list: PostList, known: Feed = emptyFeed): Feed {
  const entries = new Map(list.posts.map((item) => [item.post.id, readEntry(known, item)]));
  return arrange({ ...emptyFeed, entries, shown: [...entries.keys()], hasOlder: list.hasNext });
}

/** Adds the next page of older posts. */
export function withOlder(feed: Feed, list: PostList): Feed {
  const entries = new Map(feed.entries);
  for (const item of list.posts) entries.set(item.post.id, readEntry(feed, item));
  const shown = [...new Set([...feed.shown, ...list.posts.map((item) => item.post.id)])];
  const waiting = feed.waiting.filter((id) => !shown.includes(id));
  return arrange({ ...feed, entries, shown, waiting, hasOlder: list.hasNext });
}

/**
 * Merges the newest posts, read after the stream was interrupted. The posts shown stay where they are; those that the
 * answer does not cover are marked stale and read one by one.
 */
export function withReread(feed: Feed, list: PostList, isOwn: IsOwn): Feed {
  if (feed.shown.length === 0) return fromList(list, feed);
  const entries = new Map(feed.entries);
  const covered = new Set(list.posts.map((item) => item.post.id));
  for (const [id, entry] of entries) if (!covered.has(id)) entries.set(id, { ...entry, stale: true });
  let next: Feed = { ...feed, entries };
  for (const item of list.posts) {
    const known = entries.get(item.post.id);
    if (!known) {
      entries.set(item.post.id, readEntry(feed, item));
      next = placed(next, item.post.id, isOwn);
    } else {
      const stale = item.comments.length < known.comments.length;
      entries.set(item.post.id, { ...readEntry(feed, item), stale });
    }
  }
  const gap = list.hasNext && !list.posts.some((item) => feed.entries.has(item.post.id));
  return arrange(gap ? { ...next, manyWaiting: true } : next);
}

/** Applies messages of the stream, in any order and any number of times (idempotent). */
export function withMessages(feed: Feed, messages: readonly Message[], isOwn: IsOwn): Feed {
  const entries = new Map(feed.entries);
  let next: Feed = { ...feed, entries };
  for (const message of messages) {
    const { id, seq } = message.post;
    const entry = entries.get(id);
    if (!entry && isUnloaded(next, seq) && !isOwn(id)) continue;
    const merged = withMessage(entry ?? createEntry({ ...message.post, commentCount: 0 }), message, isOwn);
    entries.set(id, merged);
    if (!entry) next = placed(next, id, isOwn);
    if (next.manyWaiting && !next.shown.includes(id) && !next.waiting.includes(id)) entries.delete(id);
  }
  const changed = messages.some(({ post }) => feed.entries.get(post.id) !== entries.get(post.id));
  if (!changed && next.manyWaiting === feed.manyWaiting) return feed;
  return next.shown === feed.shown && next.waiting === feed.waiting ? next : arrange(next);
}

/** Shows the waiting posts, or only the given one. */
export function withWaitingShown(feed: Feed, only?: string): Feed {
  const moved = feed.waiting.filter((id) => only === undefined || id === only);
  if (moved.length === 0) return feed;
  const waiting = feed.waiting.filter((id) => !moved.includes(id));
  return arrange({ ...feed, shown: [...moved, ...feed.shown], waiting });
}

/** Replaces one entry. */
export function withEntry(feed: Feed, id: string, entry: Entry): Feed {
  return arrange({ ...feed, entries: new Map(feed.entries).set(id, entry) });
}

/** The cursor for the next older page. */
export const oldestShown = (feed: Feed): string | undefined => feed.shown.at(-1);

/** The reader's own posts need not wait; neither does the first one on an empty page. */
function placed(feed: Feed, id: string, isOwn: IsOwn): Feed {
  if (isOwn(id) || feed.shown.length === 0) return { ...feed, shown: [id, ...feed.shown] };
  if (feed.waiting.length >= MOST_WAITING) return { ...feed, manyWaiting: true };
  return { ...feed, waiting: [id, ...feed.waiting] };
}

function isUnloaded(feed: Feed, seq: number): boolean {
  const oldest = feed.entries.get(oldestShown(feed) ?? '');
  return feed.hasOlder && oldest !== undefined && seq < oldest.post.seq;
}

function readEntry(feed: Feed, item: Omit<PostPage, 'hasNext'>): Entry {
  const known = feed.entries.get(item.post.id);
  const hasNext = item.post.commentCount > item.comments.length;
  return known ? withFreshRead(known, { ...item, hasNext }) : createEntry(item.post, item.comments);
}

/** Sorts the ids by `seq`, newest first. */
function arrange(feed: Feed): Feed {
  const seq = (id: string) => feed.entries.get(id)?.post.seq ?? 0;
  const newestFirst = (ids: readonly string[]) => [...ids].sort((a, b) => seq(b) - seq(a));
  return { ...feed, shown: newestFirst(feed.shown), waiting: newestFirst(feed.waiting) };
}
