// The comments of one post, as the page merges them from reads and the stream.

import { describe, expect, test } from '@jest/globals';
import { createEntry, type Entry, hiddenCount, type IsOwn, withNews, withPage } from '../src/blog/entry.ts';
import type { Comment, Message, Post } from '../src/blog/types.ts';
import { aComment, aMessage, aPost } from './fake-blog.ts';

const nobody = () => false;
/** An entry as the first page of its post makes it. */
const read = (post: Post, comments: Comment[] = []) =>
  withPage(createEntry(post), { post, comments, hasNext: post.commentCount > comments.length });
const withMessage = (entry: Entry, message: Message, isOwn: IsOwn) => withNews(entry, [message], isOwn);
const post = (commentCount: number) => aPost(1, { commentCount });
const ids = (comments: readonly Comment[]) => comments.map(({ id }) => id);
const statuses = (entry: Entry) => entry.comments.map(({ status }) => status);

describe('the comments of one post', () => {
  test('a status never goes back', () => {
    const entry = read(post(1), [aComment(1, 'approved')]);
    expect(statuses(withMessage(entry, aMessage(post(1), [aComment(1, 'pending')]), nobody))).toEqual(['approved']);
    expect(statuses(withPage(entry, { post: post(1), comments: [aComment(1, 'pending')], hasNext: false }))).toEqual([
      'approved',
    ]);
  });

  test('the first verdict stands', () => {
    const entry = read(post(1), [aComment(1, 'rejected')]);
    expect(statuses(withMessage(entry, aMessage(post(1), [aComment(1, 'approved')]), nobody))).toEqual(['rejected']);
  });

  test('what is known is never blanked, and what was missing is filled in', () => {
    const entry = read(aPost(1, { title: null }), [aComment(1)]);
    const blank = aComment(1, 'approved', { content: null, createdAt: null });
    const after = withMessage(entry, aMessage(aPost(1, { createdAt: null, commentCount: 1 }), [blank]), nobody);
    expect(after.post).toMatchObject({ title: 'Title 1', createdAt: '2026-01-02T03:04:05Z' });
    expect(after.comments[0]).toEqual(aComment(1));
  });

  test('comments are in the order written, in whatever order they arrive', () => {
    const entry = read(post(1), [aComment(1)]);
    const after = withMessage(entry, aMessage(post(3), [aComment(3), aComment(2)]), nobody);
    expect(ids(after.comments)).toEqual(['comment-1', 'comment-2', 'comment-3']);
    expect(hiddenCount(after)).toBe(0);
  });

  test('a message applied twice, or an older one applied late, changes nothing', () => {
    const first = aMessage(post(2), [aComment(2, 'pending')]);
    const second = aMessage(post(3), [aComment(2), aComment(3)]);
    const entry = [first, second].reduce((e, m) => withMessage(e, m, nobody), read(post(1), [aComment(1)]));
    expect(withMessage(entry, second, nobody)).toBe(entry);
    expect(withMessage(entry, first, nobody)).toBe(entry);
  });

  test('a comment after unloaded ones waits for them, and comes with its page', () => {
    const loaded = [aComment(1), aComment(2)];
    const entry = withMessage(read(post(4), loaded), aMessage(post(5), [aComment(5, 'pending')]), nobody);
    expect(ids(entry.comments)).toEqual(['comment-1', 'comment-2']);
    expect(hiddenCount(entry)).toBe(3);
    const page = { post: post(5), comments: [aComment(3), aComment(4), aComment(5)], hasNext: false };
    const after = withPage(entry, page);
    expect(ids(after.comments)).toEqual([1, 2, 3, 4, 5].map((seq) => `comment-${seq}`));
    expect(hiddenCount(after)).toBe(0);
  });

  test("the reader's own comment after unloaded ones is shown separately, live, and once", () => {
    const isOwn = (id: string) => id === 'comment-5';
    const pending = withMessage(read(post(4), [aComment(1)]), aMessage(post(5), [aComment(5, 'pending')]), isOwn);
    expect(ids(pending.apart)).toEqual(['comment-5']);
    const judged = withMessage(pending, aMessage(post(5), [aComment(5)]), isOwn);
    expect(judged.apart[0]?.status).toBe('approved');
    const page = { post: post(5), comments: [2, 3, 4, 5].map((seq) => aComment(seq, 'pending')), hasNext: false };
    const whole = withPage(judged, page);
    expect(whole.apart).toEqual([]);
    expect(statuses(whole)).toEqual(['approved', 'pending', 'pending', 'pending', 'approved']);
  });

  test('a verdict on a comment loaded on demand is live', () => {
    const many = Array.from({ length: 60 }, (_, index) => aComment(index + 1, 'pending'));
    const entry = withPage(read(post(60), many.slice(0, 50)), {
      post: post(60),
      comments: many.slice(50),
      hasNext: false,
    });
    const after = withMessage(entry, aMessage(post(60), [aComment(51, 'rejected')]), nobody);
    expect(after.comments[50]?.status).toBe('rejected');
    expect(after.comments[49]).toBe(entry.comments[49]);
  });

  test('reading the first comments again removes none that were loaded after them', () => {
    const entry = read(
      post(4),
      [1, 2, 3].map((seq) => aComment(seq, 'pending')),
    );
    const after = withPage(entry, { post: post(4), comments: [aComment(1), aComment(2)], hasNext: true });
    expect(statuses(after)).toEqual(['approved', 'approved', 'pending']);
    expect(hiddenCount(after)).toBe(1);
  });

  test('a comment that comes before an earlier one waits for it', () => {
    const entry = read(post(1), [aComment(1)]);
    const third = aMessage(post(3), [aComment(3)]);
    expect(ids(withMessage(entry, third, nobody).comments)).toEqual(['comment-1']);
    const second = aMessage(post(3), [aComment(2)]);
    expect(ids(withNews(entry, [third, second], nobody).comments)).toEqual(['comment-1', 'comment-2', 'comment-3']);
  });

  test('a flood of comments does not make the page grow without limit', () => {
    let entry = read(post(0));
    for (let seq = 1; seq <= 500; seq++) entry = withMessage(entry, aMessage(post(seq), [aComment(seq)]), nobody);
    expect(entry.comments).toHaveLength(100);
    expect(hiddenCount(entry)).toBe(400);
  });
});
