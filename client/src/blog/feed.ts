// The posts that the page knows, as pure functions.

import { createEntry, type Entry, type IsOwn, settled, withNews, withPage } from './entry.ts';
import type { Message, PostList, PostPage } from './types.ts';

/** The maximum number of waiting posts kept; more are read on demand, so that a page left open does not grow. */
const MOST_WAITING = 100;

/** The posts that the page knows. Immutable: equal identity means equal content. */
export type Feed = {
  readonly entries: ReadonlyMap<string, Entry>;
  /** Ids of the posts shown, newest first. */
  readonly shown: readonly string[];
  /** Ids of newer posts that wait until the reader asks for them. */
  readonly waiting: readonly string[];
  /** More posts wait than are kept. */
  readonly manyWaiting: boolean;
  /** Older posts can be loaded: those after the post `oldest`. */
  readonly hasOlder: boolean;
  readonly oldest?: string | undefined;
};

export const emptyFeed: Feed = { entries: new Map(), shown: [], waiting: [], manyWaiting: false, hasOlder: false };

/** The feed with only the newest posts shown. Known verdicts are kept, and posts that were opened by their address. */
export function fromList(list: PostList, known: Feed = emptyFeed): Feed {
  const listed = new Set([...known.shown, ...known.waiting]);
  for (const { post } of list.posts) listed.delete(post.id);
  return withOlder({ ...emptyFeed, entries: new Map([...known.entries].filter(([id]) => !listed.has(id))) }, list);
}

/** Adds the next page of older posts. */
export function withOlder(feed: Feed, list: PostList): Feed {
  const oldest = list.posts.at(-1)?.post.id ?? feed.oldest;
  return withList({ ...feed, hasOlder: list.hasNext, oldest }, list, () => true);
}

/** Merges the newest posts, read after the stream was interrupted: the posts shown stay where they are, new ones wait. */
export function withReread(feed: Feed, list: PostList, isOwn: IsOwn): Feed {
  if (feed.shown.length === 0) return fromList(list, feed);
  // The reader's own posts may stand apart from those that the page has without a gap.
  const hasGap = list.hasNext && !list.posts.some(({ post }) => feed.entries.has(post.id) && !isOwn(post.id));
  return withList({ ...feed, manyWaiting: feed.manyWaiting || hasGap }, list, isOwn);
}

/** The posts about which an answer of the list does not say everything: they are read one by one. */
export function uncovered(feed: Feed, list: PostList): string[] {
  const covered = new Map(list.posts.map(({ post, comments }) => [post.id, comments.length]));
  return [...feed.entries].filter(([id, { comments }]) => (covered.get(id) ?? -1) < comments.length).map(([id]) => id);
}

/** Merges messages of the stream. */
export function withMessages(feed: Feed, messages: readonly Message[], isOwn: IsOwn): Feed {
  const entries = new Map(feed.entries);
  const shown = [...feed.shown];
  const waiting = [...feed.waiting];
  const listed = new Set([...shown, ...waiting]);
  const oldest = (feed.hasOlder && entries.get(feed.oldest ?? '')?.post.seq) || 0;
  for (const [id, [first, ...more]] of Map.groupBy(messages, ({ post }) => post.id)) {
    if (!first) continue;
    const known = entries.get(id);
    const isUnloaded = first.post.seq < oldest && !isOwn(id);
    if (!known && isUnloaded) continue;
    entries.set(id, withNews(known ?? createEntry({ ...first.post, commentCount: 0 }), [first, ...more], isOwn));
    if (listed.has(id) || isUnloaded) continue;
    // The reader's own posts need not wait; neither does one opened by its address, nor the first one on an empty page.
    if (isOwn(id) || known || shown.length === 0) shown.push(id);
    else waiting.push(id);
  }
  return arranged(feed, { ...feed, entries, shown, waiting });
}

/** Shows posts that wait. */
export const withShown = (feed: Feed, ids: readonly string[]): Feed =>
  arranged(feed, { ...feed, shown: [...feed.shown, ...ids.filter((id) => feed.entries.has(id))] });

/** Merges one post as it was read, without adding it to the list. */
export function withPost(feed: Feed, id: string, page: PostPage): Feed {
  const entry = withPage(feed.entries.get(id) ?? createEntry(page.post), page);
  return arranged(feed, { ...feed, entries: new Map(feed.entries).set(id, entry) });
}

function withList(feed: Feed, list: PostList, isShown: IsOwn): Feed {
  const entries = new Map(feed.entries);
  for (const item of list.posts) {
    const hasNext = item.post.commentCount > item.comments.length;
    entries.set(item.post.id, withPage(entries.get(item.post.id) ?? createEntry(item.post), { ...item, hasNext }));
  }
  const ids = list.posts.map(({ post }) => post.id);
  const shown = [...feed.shown, ...ids.filter(isShown)];
  return arranged(feed, { ...feed, entries, shown, waiting: [...feed.waiting, ...ids] });
}

/** Sorts the ids by `seq`, newest first, and drops waiting posts over the limit. Unchanged parts keep their identity. */
function arranged(before: Feed, after: Feed): Feed {
  const entries = new Map(after.entries);
  const seq = (id: string) => entries.get(id)?.post.seq ?? 0;
  const newestFirst = (ids: Iterable<string>) => [...ids].sort((a, b) => seq(b) - seq(a));
  const shown = new Set(after.shown);
  const waiting = newestFirst(new Set(after.waiting.filter((id) => !shown.has(id))));
  const dropped = waiting.splice(MOST_WAITING);
  for (const id of dropped) entries.delete(id);
  const isSame = entries.size === before.entries.size && [...entries].every(([id, e]) => before.entries.get(id) === e);
  return settled(before, {
    ...after,
    entries: isSame ? before.entries : entries,
    shown: settled(before.shown, newestFirst(shown)),
    waiting: settled(before.waiting, waiting),
    manyWaiting: after.manyWaiting || dropped.length > 0,
  });
}
