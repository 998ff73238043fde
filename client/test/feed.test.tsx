// The posts of the page, as they are merged from reads and the stream.

import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  type Feed,
  fromList,
  uncovered,
  withMessages,
  withOlder,
  withPost,
  withReread,
  withShown,
} from '../src/blog/feed.ts';
import type { Message, Status } from '../src/blog/types.ts';
import { aComment, aMessage, aPost } from './fake-blog.ts';

const nobody = () => false;
const list = (seqs: number[], hasNext = false) => ({
  posts: seqs.map((seq) => ({ post: aPost(seq), comments: [] })),
  hasNext,
  position: 'db-1',
});
const arrive = (...seqs: number[]) => seqs.map((seq) => aMessage(aPost(seq)));

describe('the posts of the page', () => {
  test('posts are sorted by seq, newest first, whatever their ids look like', () => {
    const odd = ['7', '3', 'x'].map((id, index) => ({ post: aPost(index + 1, { id }), comments: [] }));
    expect(fromList({ posts: odd, hasNext: false, position: undefined }).shown).toEqual(['x', '3', '7']);
  });

  test('new posts wait in order until the reader asks for them', () => {
    const feed = withMessages(fromList(list([1])), arrive(3, 2, 3), nobody);
    expect(feed).toMatchObject({ shown: ['post-1'], waiting: ['post-3', 'post-2'] });
    expect(withShown(feed, feed.waiting)).toMatchObject({ shown: ['post-3', 'post-2', 'post-1'], waiting: [] });
  });

  test('an own post does not wait, nor does the first one on an empty page', () => {
    expect(withMessages(fromList(list([1])), arrive(2), (id) => id === 'post-2').shown).toEqual(['post-2', 'post-1']);
    expect(withMessages(fromList(list([])), arrive(1), nobody).shown).toEqual(['post-1']);
  });

  test('a post opened by its address does not wait, so that it is kept however many follow', () => {
    const opened = withPost(fromList(list([1])), 'post-2', { post: aPost(2), comments: [], hasNext: false });
    const feed = withMessages(opened, arrive(...Array.from({ length: 250 }, (_, index) => index + 2)), nobody);
    expect(feed).toMatchObject({ shown: ['post-2', 'post-1'], manyWaiting: true });
    expect(feed.entries.has('post-2')).toBe(true);
  });

  test('an older post that is not loaded does not appear by itself', () => {
    const feed = withMessages(fromList(list([9, 8], true)), arrive(3), nobody);
    expect(feed).toMatchObject({ shown: ['post-9', 'post-8'], waiting: [] });
    expect(withOlder(feed, list([7, 3])).shown).toEqual(['post-9', 'post-8', 'post-7', 'post-3']);
  });

  test('more new posts than are kept are counted as many, not stored', () => {
    const seqs = Array.from({ length: 250 }, (_, index) => index + 2);
    const feed = withMessages(fromList(list([1])), arrive(...seqs), nobody);
    expect(feed.waiting).toHaveLength(100);
    expect(feed.manyWaiting).toBe(true);
    expect(feed.entries.size).toBe(101);
  });

  test('reading the list again keeps the posts shown, lets new ones wait, and leaves out what must be read one by one', () => {
    const feed = fromList(list([5, 4]));
    const again = list([6, 5]);
    expect(withReread(feed, again, nobody)).toMatchObject({ shown: ['post-5', 'post-4'], waiting: ['post-6'] });
    expect(uncovered(feed, again)).toEqual(['post-4']);
    const longer = withMessages(feed, [aMessage(aPost(5, { commentCount: 1 }), [aComment(1)])], nobody);
    expect(uncovered(longer, again)).toEqual(['post-5', 'post-4']);
  });

  test('an own post in a list that is read again is no sign that nothing was missed before it', () => {
    const isOwn = (id: string) => id === 'post-9';
    const feed = withMessages(fromList(list([2, 1])), arrive(9), isOwn);
    expect(withReread(feed, list([9, 8], true), isOwn).manyWaiting).toBe(true);
    expect(withReread(feed, list([9, 8, 2], true), isOwn).manyWaiting).toBe(false);
  });

  test('an own post that is older than the list leaves no gap: older posts continue after the list', () => {
    const feed = withMessages(fromList(list([9, 8], true)), arrive(3), (id) => id === 'post-3');
    expect(feed).toMatchObject({ shown: ['post-9', 'post-8', 'post-3'], oldest: 'post-8' });
  });

  test('a verdict outlives reading the list again', () => {
    const item = { post: aPost(1, { commentCount: 1 }), comments: [aComment(1, 'approved')] };
    const feed = fromList({ posts: [item], hasNext: false, position: undefined });
    const older = { ...item, comments: [aComment(1, 'pending')] };
    const after = withReread(feed, { posts: [older], hasNext: false, position: undefined }, nobody);
    expect(after.entries.get('post-1')?.comments[0]?.status).toBe('approved');
  });

  test('only the post that changed is another object afterwards', () => {
    const feed = fromList(list([2, 1]));
    const after = withMessages(feed, [aMessage(aPost(1, { commentCount: 1 }), [aComment(1)])], nobody);
    expect(after.entries.get('post-2')).toBe(feed.entries.get('post-2'));
    expect(after.shown).toBe(feed.shown);
    expect(withMessages(after, [aMessage(aPost(1))], nobody)).toBe(after);
  });

  test('messages in any order and number, and an answer older than they are, lead to the same feed', () => {
    const post = (seq: number, commentCount: number) => aPost(seq, { commentCount });
    const remark = (of: number, seq: number, status: Status) =>
      aComment(seq, status, { id: `${of}-${seq}`, postId: `post-${of}` });
    const messages = [1, 2].flatMap((of) =>
      [1, 2, 3].flatMap((seq) => [
        aMessage(post(of, seq), [remark(of, seq, 'pending')]),
        aMessage(post(of, 3), [remark(of, seq, seq === 2 ? 'rejected' : 'approved')]),
      ]),
    );
    const older = {
      ...list([]),
      posts: [2, 1].map((of) => ({ post: post(of, 2), comments: [1, 2].map((seq) => remark(of, seq, 'pending')) })),
    };
    const known = (feed: Feed) =>
      [...feed.entries].map(([id, { post, comments, apart }]) => ({ id, post, comments, apart }));
    const all = known(withMessages(fromList(list([2, 1])), messages, nobody));
    const property = fc.property(
      fc.shuffledSubarray(messages, { minLength: messages.length }),
      fc.array(fc.constantFrom(...messages), { maxLength: 4 }),
      fc.nat({ max: messages.length }),
      (order, again, at) => {
        let feed = fromList(list([2, 1]));
        const recent: Message[] = [];
        for (const message of [...order, ...again]) {
          if (recent.length === at) feed = withMessages(withReread(feed, older, nobody), recent, nobody);
          recent.push(message);
          const ofPost = recent.filter((one) => one.post.id === message.post.id);
          feed = withMessages(feed, ofPost, nobody);
        }
        // One that comes long after all others.
        feed = withMessages(feed, order.slice(0, 1), nobody);
        expect(known(feed)).toEqual(all);
      },
    );
    fc.assert(property);
  });
});
