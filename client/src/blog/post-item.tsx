import { memo, useId } from 'react';
import { Link } from 'wouter';
import { postAddress } from '../shared/addresses.ts';
import { By } from '../shared/by.tsx';
import { TimeStamp } from '../shared/time.tsx';
import { CommentForm } from './comment-form.tsx';
import { CommentList, NEWEST } from './comment-list.tsx';
import type { Entry } from './entry.ts';
import { ON_ITS_WAY, type Own } from './own.ts';

type Props = {
  entry: Entry;
  /** The reader's own comments on it. */
  own: readonly Own[];
  /** Set while the post is the reader's own and has not arrived in the read model. */
  sent?: Own | undefined;
  /** It has the page to itself, with all its comments. */
  isWhole?: boolean;
};

/** One post with its comments and its form. */
export const PostItem = memo(function PostItem({ entry, own, sent, isWhole = false }: Props) {
  const { post } = entry;
  const listed = useId();
  const id = isWhole ? 'post' : listed;
  const Heading = isWhole ? 'h2' : 'h3';
  const isCut = !isWhole && post.commentCount > Math.min(NEWEST, entry.comments.length + entry.apart.length);
  const title = post.title ?? 'Untitled';
  return (
    <article className="post card stack" aria-labelledby={id} data-place data-sent={sent !== undefined}>
      <header>
        <Heading id={id} tabIndex={-1} dir="auto">
          {isWhole ? title : <Link href={postAddress(post.id)}>{title}</Link>}
        </Heading>
        <p className="meta row">
          <By author={post.author} />
          <TimeStamp value={post.createdAt} />
          {sent && <span>{ON_ITS_WAY}</span>}
          {!sent && isCut && <Link href={postAddress(post.id)}>All {countText(post.commentCount)}</Link>}
          {!sent && !isCut && <span>{countText(post.commentCount)}</span>}
        </p>
      </header>
      <CommentList entry={entry} own={own} isWhole={isWhole} />
      <CommentForm postId={post.id} isOpen={isWhole} />
    </article>
  );
});

const countText = (count: number) => (count === 1 ? '1 comment' : `${count.toLocaleString()} comments`);
