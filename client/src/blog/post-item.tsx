// One post with its comments and its form.

import { memo, useId } from 'react';
import { CommentForm } from './comment-form.tsx';
import { CommentList } from './comment-list.tsx';
import type { Entry } from './entry.ts';
import { useFeedStore } from './feed-context.ts';
import type { Own } from './own.ts';
import { TimeStamp } from './time-stamp.tsx';

type Props = {
  entry: Entry;
  /** The reader's own comments on it. */
  own: readonly Own[];
  /** Set while the post is the reader's own and has not arrived in the read model. */
  sent?: Own | undefined;
};

export const PostItem = memo(function PostItem({ entry, own, sent }: Props) {
  const { post } = entry;
  const id = useId();
  return (
    <li>
      <article className="post card" aria-labelledby={id} data-place data-sent={sent !== undefined}>
        <header>
          <h3 id={id} tabIndex={-1} dir="auto">
            {post.title ?? 'Untitled'}
          </h3>
          <p className="meta">
            <TimeStamp value={post.createdAt} />
            {sent ? <SentNote sent={sent} /> : <span>{countText(post.commentCount)}</span>}
          </p>
        </header>
        <CommentList entry={entry} own={own} />
        <CommentForm postId={post.id} />
      </article>
    </li>
  );
});

function SentNote({ sent }: { sent: Own }) {
  const { dismiss } = useFeedStore();
  if (!sent.late) return <span>On its way…</span>;
  return (
    <span>
      Stored, but it has not appeared yet. You need not send it again.{' '}
      <button type="button" className="link" onClick={() => dismiss(sent.id)}>
        Hide
      </button>
    </span>
  );
}

const countText = (count: number) => (count === 1 ? '1 comment' : `${count.toLocaleString()} comments`);
