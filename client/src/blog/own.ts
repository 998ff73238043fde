// The reader's own posts and comments between their 201 and their arrival in the read model (read-your-writes).

import { keep, loadKept } from '../shared/kept.ts';
import { type Author, authorOf, fieldsOf, itemsOf } from '../shared/parse.ts';
import { settled } from './entry.ts';
import type { Feed } from './feed.ts';
import { createPost, type Post, type Texts } from './types.ts';

/** An item that the reader sent from this tab and that was answered with 201. */
export type Own = {
  kind: 'post' | 'comment';
  id: string;
  /** The post commented on; for a post its own id. */
  postId: string;
  /** The fields that were sent. */
  texts: Texts;
  createdAt: string | null;
  author?: Author | undefined;
  /** The time of the 201, in milliseconds of this browser's clock. */
  sentAt: number;
  /** It came by the stream or a list, which is shown from then on. */
  arrived: boolean;
};

/** The state of an item until it has arrived. */
export const ON_ITS_WAY = 'Stored, on its way…';
const KEY = 'blog.own';
const FORGET_AFTER_MS = 30 * 60_000;

/** Loads the items that had not arrived when the page was left. */
export function loadOwn(now = Date.now()): Own[] {
  return itemsOf(loadKept(KEY), parseOwn).filter(({ sentAt }) => Math.abs(now - sentAt) < FORGET_AFTER_MS);
}

function parseOwn(value: unknown): Own | undefined {
  const own = fieldsOf(value) as Own;
  const isWhole = [own.id, own.postId, ...Object.values(fieldsOf(own.texts))].every((text) => typeof text === 'string');
  return isWhole && own.texts ? { ...own, author: authorOf(own.author) } : undefined;
}

export const saveOwn = (list: readonly Own[]): void => keep(KEY, list);

/** Compares the items with the feed: returns those that are still of interest, and announcements about the others. */
export function settleOwn(list: readonly Own[], feed: Feed): { own: readonly Own[]; news: string[] } {
  const news: string[] = [];
  const own = list.flatMap((item) => {
    const entry = feed.entries.get(item.postId);
    if (!entry) return [item];
    if (item.kind === 'post') {
      news.push('Your post is published.');
      return [];
    }
    const comment = [...entry.comments, ...entry.apart].find(({ id }) => id === item.id);
    if (!comment || (item.arrived && comment.status === 'pending')) return [item];
    news.push(
      comment.status === 'pending' ? 'Your comment is awaiting moderation.' : `Your comment was ${comment.status}.`,
    );
    return comment.status === 'pending' ? [{ ...item, arrived: true }] : [];
  });
  return { own: settled(list, own), news };
}

/** An own item in the form of a post, sorted to the top of the list. */
export function ownPost(own: Own): Post {
  return createPost(own.id, { ...own.texts, createdAt: own.createdAt, author: own.author }, Number.MAX_SAFE_INTEGER);
}
