// One comment of a post.

import { memo } from 'react';
import { Link } from 'wouter';
import { journeyAddress } from '../shared/addresses.ts';
import type { Own } from './own.ts';
import { TimeStamp } from './time-stamp.tsx';
import type { Comment } from './types.ts';

type Props = { comment: Comment; ownText: string | undefined };

/** A comment by its status: approved text is shown to everyone, pending text only to the reader who wrote it. */
export const CommentItem = memo(function CommentItem({ comment, ownText }: Props) {
  return (
    <li className="comment" data-status={comment.status} data-place tabIndex={-1} data-comment={comment.id}>
      <CommentBody comment={comment} ownText={ownText} />
      <Foot id={comment.id} createdAt={comment.createdAt} />
    </li>
  );
});

function CommentBody({ comment, ownText }: Props) {
  switch (comment.status) {
    case 'approved':
      return <Text text={comment.content} />;
    case 'rejected':
      return <p className="note">This comment was rejected.</p>;
    default:
      return (
        <>
          {ownText !== undefined && <Text text={ownText} />}
          <p className="note">Awaiting moderation</p>
        </>
      );
  }
}

/** The reader's own comment between its 201 and its arrival in the read model. */
export function OwnComment({ own, onDismiss }: { own: Own; onDismiss: (id: string) => void }) {
  return (
    <li className="comment" data-status="sent" data-place>
      <Text text={own.texts.content ?? null} />
      {own.late ? (
        <p className="note">
          Stored, but it has not appeared yet. You need not send it again.{' '}
          <button type="button" className="link" onClick={() => onDismiss(own.id)}>
            Hide
          </button>
        </p>
      ) : (
        <p className="note">On its way…</p>
      )}
      <Foot id={own.id} createdAt={own.createdAt} />
    </li>
  );
}

function Foot({ id, createdAt }: { id: string; createdAt: string | null }) {
  return (
    <p className="comment-foot">
      <TimeStamp value={createdAt} /> <Link href={journeyAddress(id)}>Journey</Link>
    </p>
  );
}

function Text({ text }: { text: string | null }) {
  if (text === null) return <p className="note">The text is not known yet.</p>;
  return (
    <p className="text" dir="auto">
      {text}
    </p>
  );
}
