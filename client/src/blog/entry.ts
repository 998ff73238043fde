// One post of the page with its comments, as pure functions. Everything merges by id and takes nothing back: no known
// field is cleared and no verdict changes. So reads and messages may come in any order and any number of times.

import type { Comment, Message, Post, PostPage } from './types.ts';

/** Others' comments are shown automatically up to this many more than the reader loaded; the rest on demand. */
const LIVE_ROOM = 100;

/** A post and its known comments. Immutable: equal identity means equal content. */
export type Entry = {
  readonly post: Post;
  /** The first comments of the post, in the order written, without a gap. */
  readonly comments: readonly Comment[];
  /** The reader's own comments that lie after ones not loaded yet. */
  readonly apart: readonly Comment[];
  /** The length up to which `comments` may grow automatically. */
  readonly room: number;
};

export type IsOwn = (id: string) => boolean;

export const createEntry = (post: Post): Entry => ({ post, comments: [], apart: [], room: LIVE_ROOM });

/** The number of comments that exist and are not shown. */
export const hiddenCount = ({ post, comments, apart }: Entry): number =>
  Math.max(0, post.commentCount - comments.length - apart.length);

/**
 * Merges messages of the stream. Unknown comments are added only if all are known then: any other would leave a gap
 * before it. The rest comes when the reader loads the comments before.
 */
export function withNews(entry: Entry, messages: readonly Message[], isOwn: IsOwn): Entry {
  const comments = messages.flatMap((message) => message.comments);
  const all = merged(entry, comments);
  const post = messages.reduce((known, message) => filled(known, message.post), entry.post);
  const commentCount = Math.max(entry.post.commentCount, ...messages.map((message) => message.post.commentCount));
  const isWhole = all.length >= commentCount && all.length <= entry.room;
  return arranged(entry, { ...entry, post: { ...post, commentCount } }, all, isWhole ? all : entry.comments, isOwn);
}

/**
 * Merges comments as they were read: from the first one, or from the one after the last loaded, so there is no gap. A
 * read is right about the number of comments at its time.
 */
export function withPage(entry: Entry, { post, comments, hasNext }: PostPage): Entry {
  const all = merged(entry, comments);
  const known = filled(entry.post, { ...post, commentCount: hasNext ? post.commentCount : all.length });
  const loaded = [...entry.comments, ...comments];
  const after = arranged(entry, { ...entry, post: known }, all, loaded, () => true);
  return settled(after, { ...after, room: after.comments.length + LIVE_ROOM });
}

/** All comments known, with the news, in the order written. The first verdict stands. */
function merged({ comments, apart }: Entry, news: readonly Comment[]): Comment[] {
  const byId = new Map([...comments, ...apart].map((comment) => [comment.id, comment]));
  for (const comment of news) {
    const known = byId.get(comment.id) ?? comment;
    byId.set(known.id, filled(known, known.status === 'pending' ? comment : { ...comment, status: known.status }));
  }
  return [...byId.values()].sort((a, b) => a.seq - b.seq);
}

function arranged(before: Entry, after: Entry, all: Comment[], loaded: readonly Comment[], isOwn: IsOwn): Entry {
  const ids = new Set(loaded.map(({ id }) => id));
  const comments = all.filter(({ id }) => ids.has(id));
  const apart = all.filter(({ id }) => !ids.has(id) && isOwn(id));
  return settled(before, {
    ...after,
    post: settled(before.post, after.post),
    comments: settled(before.comments, comments),
    apart: settled(before.apart, apart),
  });
}

/** The news on top of what is known. A field that is null or missing in the news is unknown there. */
const filled = <Item extends object>(known: Item, news: Item): Item =>
  settled(known, { ...known, ...Object.fromEntries(Object.entries(news).filter(([, value]) => value != null)) });

/** The old object if the new one has the same content, so that memoized components do not render again. */
export function settled<Item extends object>(old: Item, now: Item): Item {
  const keys = Object.keys(now) as (keyof Item)[];
  return keys.length === Object.keys(old).length && keys.every((key) => old[key] === now[key]) ? old : now;
}
