// One post of the page with its comments, as pure functions.

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
  /** Some changed comments are unknown: the post must be read again. */
  readonly stale: boolean;
};

export type IsOwn = (id: string) => boolean;

/** Creates an entry from an answer of the read model. */
export function createEntry(post: Post, comments: readonly Comment[] = []): Entry {
  return { post, comments, apart: [], room: comments.length + LIVE_ROOM, stale: false };
}

/** The number of comments that exist and are not shown. */
export function hiddenCount(entry: Entry): number {
  return Math.max(0, entry.post.commentCount - entry.comments.length - entry.apart.length);
}

/**
 * Applies a message of the stream. It may be older than what is known, because a read can overtake it, so nothing known
 * is cleared, no count decreases and no verdict changes. A comment after unloaded ones is left out, because it would be
 * out of order; it comes when the reader loads those before it.
 */
export function withMessage(entry: Entry, message: Message, isOwn: IsOwn): Entry {
  const post = mergePost(entry.post, {
    ...message.post,
    commentCount: Math.max(entry.post.commentCount, message.post.commentCount),
  });
  const incoming = new Map(message.comments.map((comment) => [comment.id, comment]));
  const comments = entry.comments.map((comment) => mergeComment(comment, take(incoming, comment.id)));
  const apart = entry.apart.map((comment) => mergeComment(comment, take(incoming, comment.id)));
  const joined = bySeq([...comments, ...apart, ...incoming.values()]);
  const complete = !message.more && joined.length >= post.commentCount;
  const stale = entry.stale || message.more === true;
  if (complete && joined.length <= entry.room) {
    return settled(entry, { ...entry, post, comments: joined, apart: [], stale });
  }
  const own = [...incoming.values()].filter((comment) => isOwn(comment.id));
  return settled(entry, { ...entry, post, comments, apart: bySeq([...apart, ...own]), stale });
}

/** Adds the next page, which begins after the last comment loaded. */
export function withNextPage(entry: Entry, page: PostPage): Entry {
  return withComments(entry, page, [...entry.comments, ...page.comments]);
}

/**
 * Merges a fresh read from the first comment on. It may be shorter than the loaded comments (another page came
 * meanwhile). Both begin at the first comment, so the result has no gap either.
 */
export function withFreshRead(entry: Entry, page: PostPage): Entry {
  return withComments(entry, page, page.hasNext ? [...entry.comments, ...page.comments] : page.comments);
}

/** A read is right about count and order at its time. Only a verdict is never taken back. */
function withComments(entry: Entry, page: PostPage, list: readonly Comment[]): Entry {
  const known = new Map([...entry.comments, ...entry.apart].map((comment) => [comment.id, comment]));
  const unique = new Map(list.map((comment) => [comment.id, comment]));
  const comments = bySeq(
    [...unique.values()].map((comment) => mergeComment(known.get(comment.id) ?? comment, comment)),
  );
  const commentCount = page.hasNext ? page.post.commentCount : comments.length;
  return {
    post: mergePost(entry.post, { ...page.post, commentCount }),
    comments,
    apart: page.hasNext ? entry.apart.filter((comment) => !unique.has(comment.id)) : [],
    room: comments.length + LIVE_ROOM,
    stale: false,
  };
}

function mergeComment(known: Comment, news: Comment | undefined): Comment {
  if (!news || news === known) return known;
  const merged = { ...withNews(known, news), status: known.status === 'pending' ? news.status : known.status };
  return same(known, merged) ? known : merged;
}

/** A field that is null in the news is unknown there: nothing known is cleared. */
const withNews = <Item extends object>(known: Item, news: Item): Item => ({
  ...known,
  ...Object.fromEntries(Object.entries(news).filter(([, value]) => value !== null)),
});

function mergePost(known: Post, news: Post): Post {
  const merged = withNews(known, news);
  return same(known, merged) ? known : merged;
}

/** Keeps the identity of unchanged objects, so that memoized components do not render again. */
function settled(before: Entry, after: Entry): Entry {
  const comments = sameList(before.comments, after.comments) ? before.comments : after.comments;
  const apart = sameList(before.apart, after.apart) ? before.apart : after.apart;
  const unchanged =
    comments === before.comments &&
    apart === before.apart &&
    after.post === before.post &&
    after.stale === before.stale;
  return unchanged ? before : { ...after, comments, apart };
}

function take(map: Map<string, Comment>, id: string): Comment | undefined {
  const found = map.get(id);
  map.delete(id);
  return found;
}

const bySeq = (comments: Comment[]) => comments.sort((a, b) => a.seq - b.seq);

const sameList = (a: readonly unknown[], b: readonly unknown[]) =>
  a.length === b.length && a.every((item, index) => item === b[index]);

function same<T extends object>(a: T, b: T): boolean {
  return (Object.keys(b) as (keyof T)[]).every((key) => a[key] === b[key]);
}
