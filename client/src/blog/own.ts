// The reader's own posts and comments between their 201 and their arrival in the read model (read-your-writes).

import { keep, loadKept } from '../shared/kept.ts';
import { fieldsOf, itemsOf } from '../shared/parse.ts';
import type { Feed } from './feed.ts';
import { type Comment, createPost, type Post, type Texts } from './types.ts';

/** An item that the reader sent from this tab and that was answered with 201. */
export type Own = {
  kind: 'post' | 'comment';
  id: string;
  /** The post commented on; for a post its own id. */
  postId: string;
  /** The fields that were sent. */
  texts: Texts;
  createdAt: string | null;
  /** The time of the 201, in milliseconds of this browser's clock. */
  sentAt: number;
  /** It came by the stream or a list, which is shown from then on. */
  arrived: boolean;
  /** It is so late that the reader was told. */
  late: boolean;
};

const KEY = 'blog.own';
const FORGET_AFTER_MS = 30 * 60_000;
const LATE_AFTER_MS = 60_000;

/** Loads the items that had not arrived when the page was left. */
export function loadOwn(now = Date.now()): Own[] {
  return itemsOf(loadKept(KEY), parseOwn).filter(({ sentAt }) => now - sentAt < FORGET_AFTER_MS);
}

function parseOwn(value: unknown): Own | undefined {
  const own = fieldsOf(value) as Own;
  const isWhole = [own.id, own.postId, ...Object.values(fieldsOf(own.texts))].every((text) => typeof text === 'string');
  return isWhole && own.texts ? own : undefined;
}

export const saveOwn = (list: readonly Own[]): void => keep(KEY, list);

/**
 * Compares the items with the feed: returns the ones that are still of interest, and announcements about the others.
 */
export function settleOwn(list: readonly Own[], feed: Feed): { own: readonly Own[]; news: string[] } {
  const news: string[] = [];
  const own = list.flatMap((item) => {
    if (item.kind === 'post') {
      if (!feed.entries.has(item.id)) return [item];
      news.push('Your post is published.');
      return [];
    }
    const comment = findComment(feed, item);
    if (!comment) return [item];
    if (comment.status !== 'pending') {
      news.push(`Your comment was ${comment.status}.`);
      return [];
    }
    if (item.arrived) return [item];
    news.push('Your comment is awaiting moderation.');
    return [{ ...item, arrived: true }];
  });
  const unchanged = own.length === list.length && own.every((item, index) => item === list[index]);
  return { own: unchanged ? list : own, news };
}

/** Marks items that are overdue; returns the same list if there are none. */
export function withLate(list: readonly Own[], now: number): readonly Own[] {
  const isLate = (own: Own) => !own.arrived && !own.late && now - own.sentAt > LATE_AFTER_MS;
  return list.some(isLate) ? list.map((own) => (isLate(own) ? { ...own, late: true } : own)) : list;
}

function findComment(feed: Feed, { id, postId }: Own): Comment | undefined {
  const entry = feed.entries.get(postId);
  const isIt = (comment: Comment) => comment.id === id;
  return entry?.comments.find(isIt) ?? entry?.apart.find(isIt);
}

/** An own item in the form of a post, sorted to the top of the list. */
export function ownPost(own: Own): Post {
  return createPost(own.id, { ...own.texts, createdAt: own.createdAt }, Number.MAX_SAFE_INTEGER);
}
