import type { Comment, Message, Post, PostPage } from '../api/types.ts';

/** Others' comments are added by themselves up to this many more than the reader asked for; the rest is on demand. */
const LIVE_ROOM = 100;

/** One post of the page with what is known of its comments. Never changed in place: equal identity means equal content. */
export type Entry = {
  readonly post: Post;
  /** The first comments of the post, in the order written and without a gap. */
  readonly comments: readonly Comment[];
  /** The reader's own comments that lie behind ones not loaded yet. */
  readonly apart: readonly Comment[];
  /** How long `comments` may grow by itself. */
  readonly room: number;
  /** Comments changed that we were not told of: read the post again. */
  readonly stale: boolean;
};

export type IsOwn = (id: string) => boolean;

/** An entry from an answer of the read model. */
export function createEntry(post: Post, comments: readonly Comment[] = []): Entry {
  return { post, comments, apart: [], room: comments.length + LIVE_ROOM, stale: false };
}

/** Comments that exist and are not shown. */
export function hiddenCount(entry: Entry): number {
  return Math.max(0, entry.post.commentCount - entry.comments.length - entry.apart.length);
}

/**
 * Adds a message of the stream. What it says may be older than what is known (a read can overtake it), so nothing known
 * is blanked, no count shrinks and no verdict changes. A comment behind unloaded ones is left out, as it would stand in
 * the wrong place; it comes when the reader loads those before it.
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

/** Adds the page that begins right behind the last comment loaded. */
export function withNextPage(entry: Entry, page: PostPage): Entry {
  return withComments(entry, page, [...entry.comments, ...page.comments]);
}

/**
 * Takes over a fresh read from the first comment on. It may be shorter than what is loaded (another page came meanwhile):
 * both begin at the first comment, so together they have no gap either.
 */
export function withFreshRead(entry: Entry, page: PostPage): Entry {
  return withComments(entry, page, page.hasNext ? [...entry.comments, ...page.comments] : page.comments);
}

/** A read is the truth of its moment: its count and order hold; only a verdict is never taken back. */
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
  const merged = {
    ...known,
    content: news.content ?? known.content,
    createdAt: news.createdAt ?? known.createdAt,
    status: known.status === 'pending' ? news.status : known.status,
    seq: news.seq,
  };
  return same(known, merged) ? known : merged;
}

function mergePost(known: Post, news: Post): Post {
  const merged = { ...news, title: news.title ?? known.title, createdAt: news.createdAt ?? known.createdAt };
  return same(known, merged) ? known : merged;
}

/** Keeps the identity of what did not change, so that memoized components stay as they are. */
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
