// The blog's data as the page uses it: the types, and what makes them from an answer.

import { type Author, authorOf, type Fields, numberOf, textOf } from '../shared/parse.ts';

/** A post of the read model. Only ids are certain: an event may have come without the other fields. */
export type Post = {
  id: string;
  title: string | null;
  createdAt: string | null;
  /** Undefined for a post that was written without sign-in. */
  author?: Author | undefined;
  seq: number;
  commentCount: number;
};

/** Creates a post from its id and any fields: those of an answer, whose order counts as `seq` where it has none. */
export const createPost = (id: string, fields: Fields, seq: number, commentCount = 0): Post => ({
  id,
  title: textOf(fields.title) ?? null,
  createdAt: textOf(fields.createdAt) ?? null,
  author: authorOf(fields.author),
  seq: numberOf(fields.seq) ?? seq,
  commentCount: numberOf(fields.commentCount) ?? commentCount,
});

/** The texts that a form sends, by field. */
export type Texts = Readonly<Record<string, string>>;

export type Status = 'pending' | 'approved' | 'rejected';

export type Comment = {
  id: string;
  postId: string;
  content: string | null;
  status: Status;
  createdAt: string | null;
  author?: Author | undefined;
  seq: number;
};

/** One message of the stream: a changed post and those of its comments that changed with it. */
export type Message = {
  post: Post;
  comments: Comment[];
  /** More comments of this post changed than the message contains. */
  more?: true;
};

/** One page of a post: the post and its comments in the order written. */
export type PostPage = { post: Post; comments: Comment[]; hasNext: boolean };

/** A page of the list, newest first. The stream continues from `position`. */
export type PostList = { posts: Omit<PostPage, 'hasNext'>[]; hasNext: boolean; position: string | undefined };
